package hazard

// silently are the hazards that make nodes differ today with nobody being told, each with
// the reason. The aim is an empty list.
var silently = map[string]string{
	"D8 materialized view":         "each node computes the query",
	"E15 query in a string":        "SQL within a string is not looked at",
	"E5 procedure that commits":    "what the body does is not looked at",
	"I4 stored object identifiers": "what a cast to oid gives is stored as each node has it",
}
