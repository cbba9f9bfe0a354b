package commitlog

import (
	"fmt"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
)

// differs is why a node cannot join. One without any slot has been filled in a way that
// left ours out: its slots cannot tell, and its operator has to know.
func (l *Log) differs(id config.NodeID, ledgers map[config.NodeID]ledger) error {
	v := compare(ledgers)
	if len(v.splits) == 0 {
		return nil
	}
	if len(ledgers[id]) == 0 {
		l.Log.Warn("node has no commit slots: whether it has all transactions is not known", zap.Int(logkey.Node, int(id)))
		return nil
	}
	return fmt.Errorf("it does not have the same transactions as the nodes in service: %s, and %d slots in all differ; copy the data of a node in service to it, with schema pgchorus",
		v.splits[0], len(v.splits))
}
