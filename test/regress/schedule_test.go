package regress

import "testing"

func TestApart(t *testing.T) {
	const schedule = "# first\ntest: a\n\ntest: b c  d e\ntest: c\n"
	const want = "# first\ntest: a\n\ntest: b d\ntest: c\ntest: e\ntest: c\n"
	if got := apart(schedule, []string{"c", "e"}); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
