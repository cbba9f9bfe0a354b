package config

import "strconv"

// NodeID is the number in backend_hostname0, backend_hostname1 and so on: 0 to MaxNodes-1.
type NodeID int

// MaxNodes is the number of backends that may be configured (MAX_NUM_BACKENDS in Pgpool-II).
const MaxNodes = 128

func (id NodeID) String() string { return strconv.Itoa(int(id)) }
