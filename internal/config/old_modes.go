package config

import (
	"cmp"
	"fmt"
	"strings"
)

// The switches that backend_clustering_mode replaced in Pgpool-II 4.2, and one
// that went before.
const (
	replicationMode    = "replication_mode"
	masterSlaveMode    = "master_slave_mode"
	masterSlaveSubMode = "master_slave_sub_mode"
	parallelMode       = "parallel_mode"
	replicationEnabled = "replication_enabled" // replication_mode before 3.0
	clusteringMode     = "backend_clustering_mode"
)

// noSlony is the answer to the mode slony, in its old and its new spelling.
const noSlony = "slony is gone, from Pgpool-II too (4.7); for one writable origin whose subscribers are only read, " +
	"use logical_replication with ALWAYS_PRIMARY in the origin's backend_flagN, or move to streaming_replication"

// noParallel is the answer to parallel_mode. To skip it would be to serve tables of
// which each node has other rows as if they were copies.
const noParallel = "parallel mode, where each node held other rows, is gone (from Pgpool-II in 3.5); " +
	"nothing takes its place"

// oldMode deals with the settings that chose the mode in older releases, and with
// the mode that is gone. It reports whether set was one of them.
func (p *parser) oldMode(file string, set setting) bool {
	switch set.name {
	case replicationMode, masterSlaveMode, parallelMode:
		p.noteSwitch(file, set)
	case replicationEnabled:
		p.warn(file, set.line, set.name, "old name of "+replicationMode)
		set.name = replicationMode
		p.noteSwitch(file, set)
	case masterSlaveSubMode:
		p.old[set.name] = value{text: set.text, file: file, line: set.line}
	default:
		return set.name == clusteringMode && p.refuseSlony(file, set)
	}
	return true
}

// noteSwitch keeps a boolean for settleClusteringMode.
func (p *parser) noteSwitch(file string, set setting) {
	v := value{text: set.text, file: file, line: set.line}
	on, err := parseBool(&Param{Type: Bool}, set.text)
	if err != nil {
		p.refuse(&Problem{File: file, Line: set.line, Name: set.name, Value: set.text, Text: err.Error()})
		return
	}
	v.number, v.typed = on, on == 1
	if set.name == replicationMode { // still a name that SHOW knows
		p.values[key{set.name, noIndex}] = v
	}
	p.old[set.name] = v
}

func (p *parser) refuseSlony(file string, set setting) bool {
	if !strings.EqualFold(set.text, "slony") {
		return false
	}
	p.refuse(&Problem{File: file, Line: set.line, Name: set.name, Value: set.text, Text: noSlony})
	return true
}

// settleClusteringMode turns the old switches into backend_clustering_mode. If the
// file sets that, too, a switch that is on has to mean the same.
func (p *parser) settleClusteringMode() {
	k := key{clusteringMode, noIndex}
	given, has := p.values[k]
	mode, from, ok := p.modeOfSwitches()
	switch {
	case !ok:
		return
	case has:
		p.compareModes(mode, from, given)
	case mode != "":
		v, _ := convert(byName[clusteringMode], string(mode))
		v.file, v.line = p.old[from].file, p.old[from].line
		p.values[k] = v
	}
	p.warnAboutSwitches(mode, has)
	p.refuseQuorum()
}

// modeOfSwitches gives the mode that the old switches mean, none if they say
// nothing, and the name of the switch that decides. ok is false if they were
// refused. Both off is raw, not the default; replication_mode = off alone says
// nothing, since today's files may have it.
func (p *parser) modeOfSwitches() (mode ClusteringMode, from string, ok bool) {
	replication, masterSlave := p.old[replicationMode], p.old[masterSlaveMode]
	switch {
	case p.old[parallelMode].number == 1:
		p.refuseSwitch(parallelMode, noParallel)
		return "", "", false
	case replication.number == 1 && masterSlave.number == 1:
		p.refuseSwitch(masterSlaveMode, replicationMode+" is on, too ("+at(replication)+"), and they exclude each other; "+
			"decide for one backend_clustering_mode")
		return "", "", false
	case replication.number == 1:
		return NativeReplication, replicationMode, true
	case masterSlave.number == 1:
		return p.modeOfSubMode()
	case masterSlave.line > 0:
		return Raw, masterSlaveMode, true
	}
	return "", "", true
}

func (p *parser) modeOfSubMode() (mode ClusteringMode, from string, ok bool) {
	switch sub := p.old[masterSlaveSubMode].text; strings.ToLower(sub) {
	case "", "stream":
		return StreamingReplication, masterSlaveMode, true
	case "logical":
		return LogicalReplication, masterSlaveMode, true
	case "slony":
		p.refuseSwitch(masterSlaveSubMode, noSlony)
	default:
		p.refuseSwitch(masterSlaveSubMode, "expected stream or logical; better, replace it by backend_clustering_mode")
	}
	return "", "", false
}

// compareModes refuses a switch that is on and means another mode than the one
// that is given.
func (p *parser) compareModes(mode ClusteringMode, from string, given value) {
	if from == "" || p.old[from].number == 0 || given.typed == string(mode) {
		return
	}
	p.refuseSwitch(from, fmt.Sprintf("means %s, but %s is %s (%s); remove one of the two", mode, clusteringMode, given.typed, at(given)))
}

// warnAboutSwitches names the new spelling of each old line.
func (p *parser) warnAboutSwitches(mode ClusteringMode, has bool) {
	const nothing = "old name; remove the line, it says nothing"
	text := fmt.Sprintf("old name; write %s = %s instead", clusteringMode, mode)
	switch {
	case has:
		text = "old name; remove the line, " + clusteringMode + " says it"
	case mode == "":
		text = nothing
	}
	for _, name := range []string{replicationMode, masterSlaveMode, masterSlaveSubMode} {
		if v, given := p.old[name]; given {
			p.warn(v.file, v.line, name, text)
		}
	}
	if v, given := p.old[parallelMode]; given {
		p.warn(v.file, v.line, parallelMode, nothing)
	}
}

// refuseQuorum refuses what Pgpool-II refuses.
func (p *parser) refuseQuorum() {
	const name = "failover_when_quorum_exists"
	if q, given := p.values[key{name, noIndex}]; given && q.number == 1 && p.old[replicationMode].number == 1 {
		p.refuse(&Problem{File: q.file, Line: q.line, Name: name, Value: q.text, Text: "not allowed in native replication mode"})
	}
}

func (p *parser) refuseSwitch(name, text string) {
	v := p.old[name]
	p.refuse(&Problem{File: v.file, Line: v.line, Name: name, Value: v.text, Text: text})
}

// at is the place of a setting inside a sentence.
func at(v value) string {
	return cmp.Or(strings.TrimSuffix(place(v.file, v.line), ": "), "default")
}
