package session

import (
	"sync"
	"unsafe"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/cache"
	"github.com/pgchorus/pgchorus/internal/cachepolicy"
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/parser"
)

// CacheVerdicts remembers, for all sessions, what package cachepolicy has said of
// statements. Safe for concurrent use.
type CacheVerdicts struct {
	mu    sync.RWMutex // guards known and moves
	known map[cacheShape]*cacheVerdict
	// moves are how often other proxies have moved a database's counter when its catalogue
	// was last forgotten for that.
	moves map[string]uint64
}

// cacheShape is a statement by what is the same address for all texts of one shape.
type cacheShape struct {
	shape    unsafe.Pointer
	database string
	hint     cachepolicy.Hint
	write    bool
}

// cacheVerdict is a verdict with what it hangs on: the configuration, and the catalogue,
// which has changed if one of the counters that DDL counts up has.
type cacheVerdict struct {
	cfg          *config.Config
	database     uint64
	everything   uint64
	read         cachepolicy.Read
	write        cachepolicy.Write
	slots        []cache.Slot
	mayBeOutdone bool // not to be remembered
}

// maxCacheVerdicts bounds how many are remembered; when there are more, all are asked for
// again.
const maxCacheVerdicts = 20000

// NewCacheVerdicts returns an empty memory.
func NewCacheVerdicts() *CacheVerdicts {
	return &CacheVerdicts{known: map[cacheShape]*cacheVerdict{}, moves: map[string]uint64{}}
}

// moved reports, once for each state, that others have moved a database's counter.
func (m *CacheVerdicts) moved(database string, moves uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.moves[database] == moves {
		return false
	}
	m.moves[database] = moves
	return true
}

func (m *CacheVerdicts) get(k cacheShape) *cacheVerdict {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.known[k]
}

func (m *CacheVerdicts) keep(k cacheShape, v *cacheVerdict) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.known) >= maxCacheVerdicts {
		clear(m.known)
	}
	m.known[k] = v
}

// databaseSlot is the counter that DDL in the session's database counts up.
func (s *Session) databaseSlot() cache.Slot { return s.Cache.Database(s.login.Database) }

// cacheVerdictOf judges a statement anew if it was not judged since the catalogue or the
// configuration changed.
func (s *Session) cacheVerdictOf(stmt *parser.Statement, hint cachepolicy.Hint, write bool) *cacheVerdict {
	k := s.cacheShapeOf(stmt, hint, write)
	if v := s.knownCacheVerdict(k); v != nil {
		return v
	}
	return s.newCacheVerdict(stmt, k)
}

func (s *Session) cacheShapeOf(stmt *parser.Statement, hint cachepolicy.Hint, write bool) cacheShape {
	return cacheShape{shape: shapeOf(stmt), database: s.login.Database, hint: hint, write: write}
}

// knownCacheVerdict is a verdict that still holds; nil for none.
func (s *Session) knownCacheVerdict(k cacheShape) *cacheVerdict {
	if v := s.CacheVerdicts.get(k); v != nil && v.cfg == s.config() && s.verdictHolds(v) {
		return v
	}
	return nil
}

// newCacheVerdict judges a statement, and remembers the verdict if the catalogue does not
// change under it.
func (s *Session) newCacheVerdict(stmt *parser.Statement, k cacheShape) *cacheVerdict {
	now := &cacheVerdict{cfg: s.config()}
	var rests, all bool
	now.database, rests = s.Cache.At(s.databaseSlot())
	now.everything, all = s.Cache.At(s.Cache.Everything())
	s.judgeForCache(now, stmt, k.hint, k.write)
	if rests && all && !now.mayBeOutdone && s.seesCached(now.database) {
		s.CacheVerdicts.keep(k, now)
	}
	return now
}

// cacheFacts is the catalogue as cachepolicy asks it.
type cacheFacts struct {
	facts
	s          *Session
	generation uint64
	impacts    map[catalog.Name]*catalog.Impact
}

var _ cachepolicy.Facts = (*cacheFacts)(nil)

// Impact implements cachepolicy.Facts.
func (f *cacheFacts) Impact(n catalog.Name) *catalog.Impact {
	if impact := f.impacts[n]; impact != nil {
		return impact
	}
	return f.s.Impacts.Get(f.s.login.Database, n, f.generation)
}

// maxCacheQuestions bounds how often the catalogue is asked for one verdict.
const maxCacheQuestions = 3

// judgeForCache asks the catalogue for what has to be known. What cannot be found out may
// not be kept, and may change anything.
func (s *Session) judgeForCache(v *cacheVerdict, stmt *parser.Statement, hint cachepolicy.Hint, write bool) {
	if s.CacheVerdicts.moved(s.login.Database, s.Cache.Moves(s.databaseSlot())+s.Cache.Moves(s.Cache.Everything())) {
		s.Catalog.Database(s.login.Database).Forget() // another proxy may have changed it
	}
	f := &cacheFacts{facts: facts{known: s.Catalog.Database(s.login.Database)}, s: s, generation: v.database}
	for range maxCacheQuestions {
		var missing *cachepolicy.Missing
		if write {
			v.write, missing = cachepolicy.OfWrite(stmt, f)
		} else {
			lists := cachepolicy.Lists{Safe: v.cfg.Cache.CacheSafeMemqcacheTableList, Unsafe: v.cfg.Cache.CacheUnsafeMemqcacheTableList}
			v.read, missing = cachepolicy.OfRead(stmt, hint, lists, f)
		}
		if missing.Empty() || !write && v.read.Why != "" {
			s.slotsOf(v)
			return
		}
		if !s.askForCache(f, missing) {
			break
		}
	}
	v.read, v.write = cachepolicy.Read{Why: "the catalogue cannot be asked"}, cachepolicy.Write{Database: true, Session: true}
	v.mayBeOutdone = true
	s.slotsOf(v)
}

// askForCache asks a node, over the session's own connection.
func (s *Session) askForCache(f *cacheFacts, missing *cachepolicy.Missing) bool {
	if !missing.Facts.Empty() {
		told, ok := s.askCatalogue(f.known, missing.Facts)
		if !ok {
			return false
		}
		f.told.Merge(told)
	}
	if len(missing.Impact.Relations) == 0 {
		return true
	}
	l := s.askable()
	if l == nil || !isPlain(catalog.Question{Relations: missing.Impact.Relations}) && l.conn.Params()["client_encoding"] != "UTF8" {
		return false
	}
	rows, err := l.question(missing.Impact.SQL())
	if err != nil {
		s.log.Warn("catalogue not read", zap.Error(err))
		return false
	}
	impacts, err := missing.Impact.Decode(rows)
	if err != nil {
		s.log.Warn("catalogue not read", zap.Error(err))
		return false
	}
	f.add(impacts)
	if now, rests := s.Cache.At(s.databaseSlot()); rests && now == f.generation && s.seesCached(now) {
		s.Impacts.Keep(s.login.Database, f.generation, impacts)
	}
	return true
}

func (f *cacheFacts) add(impacts map[catalog.Name]*catalog.Impact) {
	if f.impacts == nil {
		f.impacts = map[catalog.Name]*catalog.Impact{}
	}
	for n, impact := range impacts {
		f.impacts[n] = impact
	}
}

// slotsOf finds the counters of a verdict's names.
func (s *Session) slotsOf(v *cacheVerdict) {
	names := v.write.Names
	if v.read.Keep {
		names = v.read.Names
		v.slots = append(v.slots, s.Cache.Everything(), s.databaseSlot())
	}
	for _, name := range names {
		v.slots = append(v.slots, s.Cache.Name(s.login.Database, name))
	}
	if v.write.Database {
		v.slots = append(v.slots, s.databaseSlot())
	}
	if v.write.Everything {
		v.slots = append(v.slots, s.Cache.Everything())
	}
}
