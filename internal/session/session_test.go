package session

import (
	"strings"
	"testing"
)

func TestFaultAsideIsTheCallers(t *testing.T) {
	t.Parallel()
	ran := false
	aside(func() { ran = true })
	if !ran {
		t.Error("aside has not waited")
	}
	defer func() {
		fault, is := recover().(error)
		if !is || !strings.Contains(fault.Error(), "out of luck") || !strings.Contains(fault.Error(), "TestFaultAsideIsTheCallers") {
			t.Errorf("%v, want the fault and where it was", fault)
		}
	}()
	aside(func() { panic("out of luck") })
	t.Error("the caller goes on")
}
