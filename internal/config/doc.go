// Package config reads pgpool.conf, with Pgpool-II's syntax and names and a few
// parameters of our own, into a typed Config.
//
// There is one table of all parameters (Params): name, type, unit, default,
// range, when it may change, description, and whether it has an effect here.
// Parsing, validation, SHOW, reload, session settings, `pgchorus check` and the
// test of configs/pgpool.conf.sample all read that table.
//
// The package opens files only in Load and Reload, starts nothing, and does not
// know what its consumers do with a value. Each consumer is handed its own part
// (cfg.Listen, cfg.Auth, ...), never a map of strings.
//
// # Types to know
//
//   - Config: everything, in parts. It never changes after it was made; Reload and
//     WithSession return new ones, so it may be shared between goroutines.
//   - Param: one row of the table.
//   - Problem, Problems: what is wrong in a file, all of it, with file and line.
//   - Warning: accepted, but the operator should know.
//   - SessionError: why PGPOOL SET or SHOW was refused.
//
// # Differences from Pgpool-II
//
// A file that Pgpool-II takes in a way that nobody meant is refused or warned
// about: unknown names, words that are not booleans, unquoted paths, numbers
// with text behind them, list patterns that do not compile. A pattern is anchored
// as a whole (^(?:a|b)$), where Pgpool-II writes ^a|b$. Names of older releases
// are accepted with a warning that gives the new one.
package config
