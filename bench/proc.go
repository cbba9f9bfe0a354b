package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc/PID/stat (USER_HZ, which is 100 on every Linux
// architecture that Go knows).
const tick = 10 * time.Millisecond

// procStat is what we need of /proc/PID/stat (proc(5)).
type procStat struct {
	pid, parent int
	cpu         time.Duration // utime, stime, and those of children that were waited for
}

// parseStat reads a line of /proc/PID/stat. The second field is the program's name in
// parentheses and may hold anything, parentheses too.
func parseStat(line string) (procStat, error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return procStat{}, errors.New("no program name in the line")
	}
	const parent, utime, cstime = 1, 11, 14 // counted from the field behind the name
	fields := strings.Fields(line[end+1:])
	if len(fields) <= cstime {
		return procStat{}, fmt.Errorf("%d fields", len(fields))
	}
	var s procStat
	var errs [2]error
	s.pid, errs[0] = strconv.Atoi(strings.TrimSpace(line[:open]))
	s.parent, errs[1] = strconv.Atoi(fields[parent])
	for _, field := range fields[utime : cstime+1] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return procStat{}, err
		}
		s.cpu += time.Duration(ticks) * tick
	}
	return s, errors.Join(errs[:]...)
}

// familyOf is a process and all of its descendants. A process that ends meanwhile is
// left out; its time is then its parent's.
func familyOf(root int, all []procStat) []procStat {
	members := map[int]bool{root: true}
	for before := 0; before != len(members); {
		before = len(members)
		for _, s := range all {
			if members[s.parent] {
				members[s.pid] = true
			}
		}
	}
	var found []procStat
	for _, s := range all {
		if members[s.pid] {
			found = append(found, s)
		}
	}
	return found
}

// processes reads /proc.
func processes() ([]procStat, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var all []procStat
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		s, err := parseStat(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// cpuOf is the processor time that a process and its descendants have used so far.
func cpuOf(pid int) (time.Duration, error) {
	all, err := processes()
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, s := range familyOf(pid, all) {
		sum += s.cpu
	}
	return sum, nil
}

// memoryOf is the memory of a process and its descendants in bytes, what they share
// counted once (PSS: Pgpool-II's many children share most of theirs).
func memoryOf(pid int) (int64, error) {
	all, err := processes()
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, s := range familyOf(pid, all) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", s.pid))
		if err != nil {
			continue // it has ended
		}
		sum += parsePSS(string(text))
	}
	return sum, nil
}

// parsePSS reads /proc/PID/smaps_rollup, in bytes.
func parsePSS(text string) int64 {
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, "Pss:"); found {
			kB, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kB << 10
		}
	}
	return 0
}
