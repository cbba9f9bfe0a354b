// Package nodecheck compares what makes nodes compute differently: versions, time zone and
// collation data, settings, roles, databases and extensions.
//
// It does not compare data or schema; that is package verify's, which uses the table of
// settings here. It changes nothing: [Admit] says which nodes must not come into service,
// [Watch] tells of those in service that have begun to differ and has them fenced.
//
// [Read] asks a node for its [Facts]; [Compare] is pure and holds them against the main
// node's. What follows from a difference is in the table of [rules]: a node that would
// compute other results is refused when it is to come into service, and fenced when it is
// found so in two looks one after the other, unless statements that are under way may be the
// reason (a database that is being created). What only changes speed or limits is
// warned of.
//
// A node whose facts cannot be read, for want of a role that may log in, is let in, and that
// is logged.
package nodecheck
