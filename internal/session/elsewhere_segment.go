package session

import (
	"context"
)

// bindElsewhere asks main what the transaction has changed, behind the messages in front of a
// Bind whose statement sets off code that is to run on main alone.
func (s *Session) bindElsewhere(ctx context.Context, seg *segment, st *step) (ok bool, err error) {
	c := st.portal.care
	if err := c.refused(); err != nil {
		return s.refuseOrEnd(err)
	}
	if c == nil || c.elsewhere == nil {
		return true, nil
	}
	if ok, err := seg.run(ctx, endNone); !ok || err != nil {
		return false, err
	}
	if st.portal.care, err = s.asked(ctx, c); err != nil {
		return s.refuseOrEnd(err)
	}
	return true, nil
}
