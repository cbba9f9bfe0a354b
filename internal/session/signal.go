package session

import (
	"encoding/binary"
	"strconv"

	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// pg_terminate_backend and pg_cancel_backend are given the number of a process, which is
// one node's. Two kinds of numbers mean something: that of a backend, as pg_stat_activity
// shows it, and the one that a frontend knows its own session by (BackendKeyData), which
// stands for the session's backend on the main node: where that ends, the session does.
// PostgreSQL checks the right to signal it in either case.

// noteProcess publishes the number of the main node's backend.
func (s *Session) noteProcess() {
	pid := uint32(0)
	if s.view != nil {
		if main := s.main(); main != nil {
			pid = main.conn.PID()
		}
	}
	s.mainPID.Store(pid)
}

// signalled is the call in a statement that signals a process; nil if there is none.
func signalled(stmt *parser.Statement) *parser.Function {
	if stmt.Kind != parser.Select {
		return nil
	}
	for i := range stmt.Functions {
		if f := &stmt.Functions[i]; f.Name == "pg_terminate_backend" || f.Name == "pg_cancel_backend" {
			return f
		}
	}
	return nil
}

// signalTarget is where a statement goes that signals a process by a number in its text;
// ok is false for any other. The process of a number that nobody knows is asked for on the
// main node.
func (s *Session) signalTarget(stmt *parser.Statement) (where target, ok bool) {
	f := signalled(stmt)
	if f == nil || len(f.Args) == 0 {
		return target{}, false
	}
	number, err := strconv.ParseUint(f.Args[0], 10, 32)
	if err != nil {
		return target{}, false
	}
	_, where = s.processOf(uint32(number))
	return where, true
}

// processOf finds a process: its real number and its node.
func (s *Session) processOf(number uint32) (pid uint32, where target) {
	if pid, known := s.Registry.Process(number); known {
		s.terminates = number
		number = pid
	}
	if id, known := s.Pool.NodeOf(number); known {
		return number, target{node: id, once: true}
	}
	return number, target{node: s.mainTarget().node, once: true}
}

// withProcess puts the real number into a text that signals a session by its own.
func (s *Session) withProcess(stmt *parser.Statement, sql string) string {
	f := signalled(stmt)
	if f == nil || len(f.Args) == 0 {
		return sql
	}
	number, err := strconv.ParseUint(f.Args[0], 10, 32)
	if err != nil {
		return sql
	}
	if pid, _ := s.processOf(uint32(number)); pid != uint32(number) {
		return parser.SpliceProcess(sql, f.Name, uint32(number), pid)
	}
	return sql
}

// endSignalled ends the session whose backend a statement has terminated: PostgreSQL has
// found that the frontend may do that. Its other backends would not notice by themselves.
func (s *Session) endSignalled(stmt *parser.Statement) {
	if s.terminates == 0 {
		return
	}
	if f := signalled(stmt); f != nil && f.Name == "pg_terminate_backend" {
		s.Registry.End(s.terminates)
	}
	s.terminates = 0
}

// bindProcess does the same where the number is the only parameter: it returns the Bind
// with the real one, and where that leads.
func (s *Session) bindProcess(p *prepared, frame wire.Frame) (changed wire.Frame, where target, ok bool) {
	if signalled(p.stmt) == nil || p.stmt.MaxParam != 1 || p.plan != nil {
		return frame, target{}, false
	}
	m, err := wire.DecodeBind(frame.Body())
	if err != nil || len(m.Params) != 1 {
		return frame, target{}, false
	}
	number, ok := processNumber(m)
	if !ok {
		return frame, target{}, false
	}
	pid, where := s.processOf(number)
	if pid == number {
		return frame, where, true
	}
	if isBinary(m) {
		m.Params[0] = binary.BigEndian.AppendUint32(nil, pid)
	} else {
		m.Params[0] = strconv.AppendUint(nil, uint64(pid), 10)
	}
	return wire.AppendBindWith(nil, m, 1, nil), where, true
}

func isBinary(m wire.BindMessage) bool { return len(m.Formats) > 0 && m.Formats[0] == 1 }

// processNumber reads the parameter, an int4.
func processNumber(m wire.BindMessage) (number uint32, ok bool) {
	value := m.Params[0]
	if isBinary(m) {
		if len(value) != 4 {
			return 0, false
		}
		return binary.BigEndian.Uint32(value), true
	}
	n, err := strconv.ParseUint(string(value), 10, 32)
	return uint32(n), err == nil
}
