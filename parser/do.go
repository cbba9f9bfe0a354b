package parser

import pg "github.com/pganalyze/pg_query_go/v5"

// doBody is the text of DO, unless it is in a language that ReadBody does not know.
func doBody(n *pg.DoStmt) string {
	body := ""
	for _, arg := range n.Args {
		option := arg.GetDefElem()
		text := option.GetArg().GetString_().GetSval()
		switch option.GetDefname() {
		case "as":
			body = text
		case "language":
			if text != "plpgsql" {
				return ""
			}
		}
	}
	return body
}
