// Package login tries every way to log in through the real server to real nodes, with
// the right secret and with wrong ones: pool_hba.conf on and off, each of its methods,
// each kind of entry in pool_passwd, each method of the nodes' pg_hba.conf, SCRAM
// verifiers read from a node, certificates, and TLS on both legs.
//
// The rule that every test here is about: nobody gets in where the nodes would not let
// him, and a connection from the pool serves only who has proved what its backends
// were shown.
//
// The package has no code but tests. The exchanges themselves, byte by byte, are
// tested in internal/auth.
package login
