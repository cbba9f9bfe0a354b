package wire

import (
	"slices"
	"testing"

	"github.com/jackc/pgproto3/v2"
)

func TestTextParams(t *testing.T) {
	values := [][]byte{[]byte("a"), nil, []byte("b"), {}}
	tests := []struct {
		name    string
		formats []int16
		want    []int
	}{
		{"no formats", nil, []int{0, 2, 3}},
		{"text for all", []int16{0}, []int{0, 2, 3}},
		{"binary for all", []int16{1}, nil},
		{"one for each", []int16{1, 0, 0, 1}, []int{2}},
		{"too few", []int16{0, 0}, []int{0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			message := bindBody(t, &pgproto3.Bind{PreparedStatement: "s", ParameterFormatCodes: tt.formats, Parameters: values})
			var got []int
			TextParams(message, func(i int, value []byte) bool {
				got = append(got, i)
				return string(value) == string(values[i])
			})
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			for cut := range message {
				TextParams(message[:cut], func(int, []byte) bool { return true })
			}
		})
	}
}

func TestTextParamsAllocatesNothing(t *testing.T) {
	message := bindBody(t, &pgproto3.Bind{Parameters: [][]byte{[]byte("1"), []byte("2")}})
	n := 0
	if allocs := testing.AllocsPerRun(100, func() {
		TextParams(message, func(int, []byte) bool { n++; return true })
	}); allocs != 0 || n == 0 {
		t.Errorf("%v allocations, %d values", allocs, n)
	}
}

// bindBody is what follows the length of a Bind.
func bindBody(t *testing.T, m *pgproto3.Bind) []byte {
	t.Helper()
	message, err := m.Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	return message[headerSize:]
}
