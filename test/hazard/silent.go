package hazard

// silently are the hazards that make nodes differ with nobody being told, each with the
// reason. The aim is an empty list.
var silently = map[string]string{
	"A5 the word now in COPY": "what COPY brings is not looked at",
}
