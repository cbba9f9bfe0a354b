package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// lookup is the value in effect: of the session, of the file, of the file for all
// nodes, or the default.
func (c *Config) lookup(k key) value {
	if v, ok := c.session[k]; ok {
		return v
	}
	if v, ok := c.values[k]; ok {
		return v
	}
	p := byName[k.name]
	if k.index != noIndex && p.IndexFree {
		return c.lookup(key{k.name, noIndex})
	}
	return convertDefault(p)
}

// showText is a value as PGPOOL SHOW displays it: the largest unit that divides
// a number, words for booleans and enums, lists as written.
func (p *Param) showText(v value, index int) string {
	switch {
	case p.Secret:
		return mask
	case p.Name == "backend_flag":
		return v.typed.(Flag).String()
	case p.Name == "log_file_mode": // in decimal, as Pgpool-II does
		return strconv.FormatInt(v.number, 10)
	case p.Octal:
		return fmt.Sprintf("%04o", v.number)
	}
	switch p.Type {
	case Bool:
		return boolText(v.number)
	case Enum:
		return p.Words[v.number]
	case Float:
		return fmt.Sprintf("%g", v.typed)
	case Int, Duration:
		if p.Index != NoIndex && index != noIndex {
			return strconv.FormatInt(v.number, 10)
		}
		return p.Unit.format(v.number)
	}
	return v.text
}

func boolText(n int64) string {
	if n == 1 {
		return "on"
	}
	return "off"
}

// format writes n in the largest unit that divides it.
func (u Unit) format(n int64) string {
	if u != NoUnit && n > 0 {
		for _, s := range u.scales() {
			if per := s.size / u.size(); per > 0 && n%per == 0 {
				return strconv.FormatInt(n/per, 10) + s.name
			}
		}
	}
	return strconv.FormatInt(n, 10)
}

// statusText is a value as SHOW POOL_STATUS and pcp_pool_status display it:
// 1 and 0 for booleans, numbers for enums, numbers in the parameter's unit.
func (p *Param) statusText(v value) string {
	switch {
	case p.Secret:
		return mask
	case p.Name == "backend_flag":
		return v.typed.(Flag).String()
	case p.Octal:
		return fmt.Sprintf("%04o", v.number)
	}
	switch p.Type {
	case Bool, Int, Duration:
		return strconv.FormatInt(v.number, 10)
	case Enum:
		return p.statusWord(v.number)
	case Float:
		return fmt.Sprintf("%f", v.typed)
	case List:
		return strings.Join(splitList(v.text, p.Separator), p.Separator)
	}
	return v.text
}

// statusWord is the number that stands for the i-th word of an enum in
// Pgpool-II's source: its place counted from 1, with these exceptions.
func (p *Param) statusWord(i int64) string {
	switch p.Name {
	case "syslog_facility":
		return p.Words[i]
	case "log_error_verbosity":
		return strconv.FormatInt(i, 10)
	case "client_min_messages", "log_min_messages":
		return strconv.Itoa(levelNumbers[LogLevel(p.Words[i])])
	}
	return strconv.FormatInt(i+1, 10)
}

// levelNumbers are the numbers of elog.h.
var levelNumbers = map[LogLevel]int{
	LevelDebug5: 10, LevelDebug4: 11, LevelDebug3: 12, LevelDebug2: 13, LevelDebug1: 14,
	LevelLog: 15, LevelInfo: 17, LevelNotice: 18, LevelWarning: 19, LevelError: 20, LevelFatal: 21, LevelPanic: 22,
}

// fileText is a setting as a line of pgpool.conf that is read back as the same.
func fileText(k key, v value) string {
	return k.String() + " = '" + v.text + "'"
}

// Settings writes what the files say as lines of one pgpool.conf, in the order
// of the table, secrets included.
func (c *Config) Settings() []string {
	var lines []string
	for _, k := range sortedKeys(c.values) {
		lines = append(lines, fileText(k, c.values[k]))
	}
	return slices.Clip(lines)
}
