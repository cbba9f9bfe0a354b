package capture

import "errors"

// field is one value of a row in the form of its type's output function.
type field struct {
	text []byte
	null bool
}

var errRecord = errors.New("malformed record literal")

// fields reads a composite value as record_out writes it: values parted by commas within
// parentheses, in double quotes where there is need, with quotes and backslashes doubled;
// nothing at all for NULL. The texts are written over the record's own bytes.
func fields(record []byte, into []field) ([]field, error) {
	if len(record) < 2 || record[0] != '(' || record[len(record)-1] != ')' {
		return into, errRecord
	}
	body := record[1 : len(record)-1]
	for at := 0; ; at++ {
		var f field
		var err error
		if f, at, err = oneField(body, at); err != nil {
			return into, err
		}
		into = append(into, f)
		if at >= len(body) {
			return into, nil
		}
	}
}

// oneField reads the field that begins at at, and returns where it ends: at a comma or at
// the end.
func oneField(body []byte, at int) (f field, end int, err error) {
	start := at
	if at >= len(body) || body[at] == ',' {
		return field{null: true}, at, nil
	}
	if body[at] != '"' {
		for at < len(body) && body[at] != ',' {
			at++
		}
		return field{text: body[start:at:at]}, at, nil
	}
	out := body[start:start]
	for at++; at < len(body); at++ {
		switch {
		case body[at] != '"' && body[at] != '\\':
		case at+1 < len(body) && body[at+1] == body[at]:
			at++
		case body[at] == '"':
			return field{text: out}, at + 1, atSeparator(body, at+1)
		default:
			return field{}, at, errRecord
		}
		out = append(out, body[at])
	}
	return field{}, at, errRecord
}

func atSeparator(body []byte, at int) error {
	if at < len(body) && body[at] != ',' {
		return errRecord
	}
	return nil
}
