package backend

import (
	"maps"
	"reflect"
	"strconv"
	"testing"

	"github.com/pgchorus/pgchorus/internal/wire"
)

func TestParametersAreShared(t *testing.T) {
	s := sharing{most: 3}
	of := func(value string) map[string]string {
		return s.of(wire.AppendParameterStatus(wire.AppendParameterStatus(nil, "TimeZone", value), "client_encoding", "UTF8"))
	}
	first := of("UTC")
	if want := map[string]string{"TimeZone": "UTC", "client_encoding": "UTF8"}; !maps.Equal(first, want) {
		t.Errorf("%v, want %v", first, want)
	}
	if same := of("UTC"); !isSame(first, same) {
		t.Error("the same parameters are kept twice")
	}
	if other := of("CET"); isSame(first, other) || other["TimeZone"] != "CET" {
		t.Errorf("other parameters are not kept for themselves: %v", other)
	}
	for i := range 10 {
		if got := of(strconv.Itoa(i)); got["TimeZone"] != strconv.Itoa(i) || len(s.all) > s.most {
			t.Errorf("%d are kept, %v", len(s.all), got)
		}
	}
}

func isSame(a, b map[string]string) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}
