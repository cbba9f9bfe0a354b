package hazard

// silently are the hazards that make nodes differ today with nobody being told, each with
// the reason. The aim is an empty list.
var silently = map[string]string{
	"A10 clock in a trigger":                                        "what a trigger does is not looked at",
	"D1 default of a column that is added":                          "DDL computes the default on each node",
	"D3 generated column with a function that is falsely immutable": "the label is believed",
	"D4 trigger with chance":                                        "what a trigger does is not looked at",
	"D5 trigger that writes to another table":                       "what a trigger does is not looked at",
	"D6 rule":                 "what a rule adds is not looked at",
	"D8 materialized view":    "each node computes the query",
	"E15 query in a string":   "SQL within a string is not looked at",
	"E2 function that writes": "what a function does is not looked at",
	"E3 function that is falsely stable and writes": "the label is believed, so it is read on one node",
	"E4 DO with chance":                             "what the body does is not looked at",
	"E5 procedure that commits":                     "what the body does is not looked at",
	"E8 dynamic SQL":                                "what a function does is not looked at",
	"F1 LIMIT without ORDER BY":                     "a set write is repeated, and rows lie otherwise on disk",
	"F2 ties":                                       "a set write is repeated, and rows lie otherwise on disk",
	"F3 DISTINCT ON":                                "a set write is repeated, and rows lie otherwise on disk",
	"F4 aggregate that depends on the order":        "a set write is repeated, and rows lie otherwise on disk",
	"F5 window with ties":                           "a set write is repeated, and rows lie otherwise on disk",
	"F7 UPDATE FROM with several matches":           "a set write is repeated, and rows lie otherwise on disk",
	"F11 sum of floating point numbers":             "a set write is repeated, and rows lie otherwise on disk",
	"F14 cursor":                                    "each node has a cursor of its own",
	"F19 writable CTE":                              "a set write is repeated, and rows lie otherwise on disk",
	"H2 a waiting statement sees another snapshot in its sub-select": "a set write is repeated, with another snapshot",
	"I4 stored object identifiers":                                   "what a cast to oid gives is stored as each node has it",
	"I6 partition by the hash of an enum":                            "the hash is that of the object identifier, which is each node's own",
	"I9 prepared statement":                                          "a time in the text of PREPARE is each node's own",
	"I13 large object that a function makes":                         "each node chooses the number",
	"I15 the text of the statement":                                  "the text is not the same on every node",
}
