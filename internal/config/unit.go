package config

import (
	"slices"
	"strings"
	"time"
)

// Unit is what a number without a unit is measured in.
type Unit string

// The units of parameters.
const (
	NoUnit      Unit = ""
	Millisecond Unit = "ms"
	Second      Unit = "s"
	Minute      Unit = "min"
	Byte        Unit = "B"
	Kilobyte    Unit = "kB"
)

// scale is one unit that a file may use. Sizes are in bytes, times in microseconds.
type scale struct {
	name string
	size int64
}

// The units of time and of memory by falling size; case matters.
var (
	timeScales = []scale{
		{"d", int64(24 * time.Hour / time.Microsecond)},
		{"h", int64(time.Hour / time.Microsecond)},
		{"min", int64(time.Minute / time.Microsecond)},
		{"s", int64(time.Second / time.Microsecond)},
		{"ms", int64(time.Millisecond / time.Microsecond)},
		{"us", 1},
	}
	memoryScales = []scale{
		{"TB", 1 << 40},
		{"GB", 1 << 30},
		{"MB", 1 << 20},
		{"kB", 1 << 10},
		{"B", 1},
	}
)

func (u Unit) isTime() bool { return u == Millisecond || u == Second || u == Minute }

// scales lists the units that may be written for u, largest first.
func (u Unit) scales() []scale {
	switch {
	case u == NoUnit:
		return nil
	case u.isTime():
		return timeScales
	}
	return memoryScales
}

// size is u in the smallest unit of its kind.
func (u Unit) size() int64 {
	size, _ := u.sizeOf(string(u))
	return size
}

// sizeOf is the size of another unit of the same kind.
func (u Unit) sizeOf(name string) (int64, bool) {
	for _, s := range u.scales() {
		if s.name == name {
			return s.size, true
		}
	}
	return 0, false
}

// names lists the units that may be written for u, smallest first.
func (u Unit) names() string {
	var names []string
	for _, s := range u.scales() {
		names = append(names, `"`+s.name+`"`)
	}
	slices.Reverse(names)
	return strings.Join(names, ", ")
}
