package backend

import (
	"reflect"
	"strconv"
	"testing"
)

func TestParametersAreShared(t *testing.T) {
	s := sharing{most: 3}
	of := func(value string) map[string]string {
		return s.of(map[string]string{"TimeZone": value, "client_encoding": "UTF8"})
	}
	first := of("UTC")
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
