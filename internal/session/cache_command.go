package session

import (
	"strings"

	"github.com/pgchorus/pgchorus/cache"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// deletedText is the statement of PGPOOL SET CACHE DELETE 'statement'.
func deletedText(sql string) (text string, ok bool) {
	rest := strings.TrimRight(strings.TrimSpace(sql), "; \t\r\n")
	for _, word := range [...]string{"pgpool", "set", "cache", "delete"} {
		if len(rest) < len(word) || !strings.EqualFold(rest[:len(word)], word) {
			return "", false
		}
		rest = strings.TrimLeft(rest[len(word):], " \t\r\n")
	}
	if len(rest) < 2 || rest[0] != '\'' || rest[len(rest)-1] != '\'' {
		return "", false
	}
	return strings.ReplaceAll(rest[1:len(rest)-1], "''", "'"), true
}

// deleteAnswer drops what is kept for a text in the session's scope, and says in a notice
// whether there was something, in the words of Pgpool-II.
func (s *Session) deleteAnswer(text string) (Table, string, error) {
	if s.Cache == nil {
		return Table{}, "", pgerr.New(pgerr.ObjectNotInPrerequisiteState, "query cache is not enabled").
			WithHint("Set memory_cache_enabled to on.")
	}
	message := `query cache does not exist for query: "` + text + `"`
	if s.learnScope() && s.Cache.Delete(cache.Key{Scope: s.caching.scope, Text: []byte(text)}) {
		message = `query cache deleted. query: "` + text + `"`
	}
	if s.hears(config.LevelNotice) {
		notice := &pgerr.Error{Severity: pgerr.SeverityNotice, Code: pgerr.SuccessfulCompletion, Message: message}
		s.reply(func(b []byte) []byte { return wire.AppendNotice(b, notice) })
	}
	return Table{}, "SET", nil
}
