// Package cachepolicy decides what the query cache may keep and what makes it worthless:
// facts in, verdicts out. It asks nobody; what has to be known of the catalogue and is
// not, comes back as [Missing].
//
//	OfRead   may the answer of a statement be kept, and which names does it depend on?
//	OfWrite  which names does a statement change, and does the session mean the same behind it?
//	HintOf   what a comment in front of the text asks for
//
// An answer may be kept if it is the same for everybody whose session has the same scope
// (database, role, settings) and as long as none of its relations is written. So functions
// have to be immutable, or PostgreSQL's own and dependent on nothing but their arguments
// and the settings that are in the scope. Relations have to be ordinary tables; views,
// materialized views and unlogged tables are kept where the operator's list says so. Names
// stand for relations without their schema: one name, one counter, whatever the
// search_path of a session.
//
// Labels of functions are believed, and functions below operators, casts and types are
// not looked at.
package cachepolicy
