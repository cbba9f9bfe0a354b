// Package task runs the long-lived parts of the program as one: it starts them in
// order, stops them in the reverse order, and waits for all of them.
//
// A Part is a name, an optional Init that has to succeed before the next part is
// started, and a Run that works until its context ends. Add parts to a Group from
// the bottom up (what others lean on comes first) and call Run once.
//
// The parts do not share one context: each is cancelled only after every part
// that was started later has returned. So a session that is still saying goodbye
// can lean on the cluster manager, because the manager was started earlier.
//
// The package does not restart parts and does not decide what an error means: the
// end of any part is the end of the group.
package task
