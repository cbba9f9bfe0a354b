package verify

import "github.com/pgchorus/pgchorus/internal/nodecheck"

// settingsListing has the settings of package nodecheck. Only those that change what
// statements do are differences.
var settingsListing = listing{
	what:  "settings",
	warns: []string{nodecheck.KindPlanner, nodecheck.KindLimit, nodecheck.KindDurability},
	sql:   nodecheck.SettingsQuery(),
}
