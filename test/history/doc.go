// Package history checks what clients were told against what an isolation level allows.
//
// Clients append numbers to lists, each number once, and read lists, some of both in a
// transaction. A list that was read shows the order in which it was written, so the
// dependencies between transactions are known without asking the servers: who wrote
// behind whom, who read whose write, and whose write somebody has not seen. A cycle of
// dependencies is an anomaly that the level of the transactions forbids or not (Adya's
// thesis; the way to find them is that of Elle, Kingsbury and Alvaro, 2020).
//
// Check is pure. The tests run the load through pgchorus on real servers, lose nodes
// under it, compare the nodes at the end, and check the history. Single numbers that are
// changed by everybody are checked by porcupine to be linearizable.
package history
