// Package auth finds out who is there, in both directions: it lets a frontend
// prove who it is, and logs in to a backend as that user.
//
// It reads pool_hba.conf (HBA) and pool_passwd (Passwd), runs one authentication
// exchange over a Peer, and builds TLS configurations. It does not open sockets,
// read start-up packets, send AuthenticationOk or ErrorResponse, or keep
// connections; internal/session, internal/backend and internal/pool do.
//
// # Two legs
//
// Every backend salts its challenge differently, so a frontend's answer cannot be
// relayed. What one leg learns is a Secret, and the other leg answers from it. With
// enable_pool_hba = on the frontend comes first:
//
//	secret, err := a.Frontend(ctx, frontend, login)
//	opened, err := auth.Backend(ctx, backend, user, secret, auth.BackendOptions{
//		Source: a.SecretSource(frontend, login),
//	})
//
// With enable_pool_hba = off Frontend asks nothing and returns the zero Secret; the
// first backend (the main node's) that asks for something calls the SecretSource,
// which then asks the frontend for the same. A session that connects to a further node
// later, when the frontend can no longer be asked, does so with Opened.Secret of a node
// that asked.
//
// A Secret may be clear text, an md5 hash, a SCRAM verifier, or the SCRAM ClientKey
// that a frontend revealed while proving itself against a verifier. The last makes a
// log-in to backends possible with no password stored anywhere: it is good wherever
// the role has the same verifier (salt, iterations, keys) on every node.
//
// # Nobody gets in where a backend would not let him
//
//   - A Secret that was compared with nothing (method password without an entry) is
//     Unproven; Backend refuses to use a connection for which the backend did not ask.
//   - A backend that trusts reveals nothing about the frontend; a second backend that
//     does ask makes the SecretSource ask the frontend.
//   - A connection from the pool was opened by an earlier session. Opened, which
//     Backend returns and the pool keeps beside the connection, says with Serves
//     whether this session has shown the same secret; if not, the connection must not
//     be lent to it and a new one is opened, with a log-in of its own. With
//     enable_pool_hba = off AskAgain first repeats the backend's question.
//
// So a password that was changed is found out when a new connection is opened, or at
// once when pool_passwd or the query for verifiers knows the new one; whoever sees
// ALTER ROLE or DROP ROLE go by should close that user's idle connections.
//
// # Unknown users
//
// A user that nobody knows goes through the same exchange as others, with a salt that
// stays the same for as long as the SaltKey does, and ends in the same 28P01. The reason
// is in the error's cause, which is for the log.
package auth
