package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"net"
	"reflect"
	"slices"
	"testing"

	"github.com/jackc/pgproto3/v2"

	"github.com/pgchorus/pgchorus/internal/pgerr"
)

// feed gives a Conn bytes in pieces, then the end of file.
func feed(data []byte, piece int) *Conn {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		for len(data) > 0 {
			n := min(piece, len(data))
			if _, err := far.Write(data[:n]); err != nil {
				return // the Conn was closed
			}
			data = data[n:]
		}
	}()
	return NewConn(near, Frontend)
}

// framesOf cuts data into frames in the plainest way: the judge of FuzzFrame.
func framesOf(data []byte, max int) (frames [][]byte, bad bool) {
	for len(data) >= headerSize {
		length := int64(binary.BigEndian.Uint32(data[1:]))
		if length < 4 || length-4 > int64(max) {
			return frames, true
		}
		if int64(len(data)) < length+1 {
			break
		}
		frames = append(frames, data[:length+1])
		data = data[length+1:]
	}
	return frames, false
}

// FuzzFrame: however the bytes are cut into segments, the frames are the same, a length
// that is not allowed is an error, and nothing is made up.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("Q\x00\x00\x00\x0dSELECT 1\x00S\x00\x00\x00\x04"), uint8(1))
	f.Add([]byte("Q\x00\x00\x00\x00"), uint8(3))
	f.Add([]byte("d\x7f\xff\xff\xffxxx"), uint8(2))
	f.Add([]byte("d\xff\xff\xff\xffxxx"), uint8(7))
	f.Add(AppendMessage(AppendMessage(nil, 'd', make([]byte, 3*bufferSize)), 'c', nil), uint8(255))
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		const most = 1 << 20
		want, bad := framesOf(data, most)
		c := feed(data, int(piece)+1)
		defer c.Close()
		for i := 0; ; i++ {
			frame, err := c.Next(most)
			if err != nil {
				if i != len(want) {
					t.Fatalf("%d frames, then %v; want %d frames", i, err, len(want))
				}
				refused := errors.Is(err, ErrBadLength) || errors.Is(err, ErrTooLong)
				if refused != bad {
					t.Fatalf("ended with %v, want a refused length: %t", err, bad)
				}
				return
			}
			if i >= len(want) || !bytes.Equal(frame, want[i]) {
				t.Fatalf("frame %d is %q", i, []byte(frame))
			}
		}
	})
}

// FuzzPieces: a message that is passed on in pieces is the same message.
func FuzzPieces(f *testing.F) {
	f.Add([]byte("row"), uint8(1), true)
	f.Add(make([]byte, 5*bufferSize), uint8(250), false)
	f.Fuzz(func(t *testing.T, body []byte, piece uint8, discard bool) {
		c := feed(AppendSync(AppendMessage(nil, 'd', body)), int(piece)+1)
		defer c.Close()
		kind, total, err := c.Peek()
		if err != nil || kind != 'd' || total != len(body)+headerSize {
			t.Fatalf("Peek = %q, %d, %v", kind, total, err)
		}
		var got []byte
		if discard {
			err = c.Discard(total)
			got = AppendMessage(nil, 'd', body)
		} else {
			err = c.Pieces(total, func(p []byte) error { got = append(got, p...); return nil })
		}
		if err != nil || !bytes.Equal(got, AppendMessage(nil, 'd', body)) {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
		if frame, err := c.Next(0); err != nil || frame.Kind() != KindSync {
			t.Fatalf("what follows is %q, %v", []byte(frame), err)
		}
	})
}

// FuzzStart: a start-up packet that is understood is understood again when its
// parameters are encoded for a backend.
func FuzzStart(f *testing.F) {
	f.Add(AppendStartup(nil, map[string]string{"user": "u", "database": "d"}))
	f.Add(AppendSSLRequest(nil))
	f.Add(AppendCancel(nil, 7, []byte{1, 2, 3, 4}))
	f.Add([]byte("\x00\x00\x00\x08\x00\x02\x00\x00"))
	f.Add([]byte("\xff\xff\xff\xff\x00\x03\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x10\x00\x03\x00\x00user\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := feed(data, 7)
		defer c.Close()
		start, err := c.ReadStart()
		if err != nil {
			return
		}
		if len(data) < 8 || int(binary.BigEndian.Uint32(data)) > len(data) {
			t.Fatalf("%q was accepted, which is cut short", data)
		}
		switch start.Request {
		case RequestCancel:
			want := data[:binary.BigEndian.Uint32(data)]
			if got := AppendCancel(nil, start.PID, start.Secret); !bytes.Equal(got, want) {
				t.Fatalf("cancel %q became %q", want, got)
			}
		case RequestStartup:
			again, err := parseStart(AppendStartup(nil, start.Params)[4:])
			if err != nil || !maps.Equal(again.Params, start.Params) {
				t.Fatalf("parameters %q became %q, %v", start.Params, again.Params, err)
			}
			start.Negotiate()
		}
	})
}

// FuzzBind: what we decode the library decodes to the same, and with one more parameter
// it is the same but for that parameter.
func FuzzBind(f *testing.F) {
	bind := func(m *pgproto3.Bind) []byte {
		b, err := m.Encode(nil)
		if err != nil {
			f.Fatal(err)
		}
		return b[headerSize:]
	}
	f.Add(bind(&pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s", Parameters: [][]byte{[]byte("1"), nil, {}}}))
	f.Add(bind(&pgproto3.Bind{ParameterFormatCodes: []int16{1}, Parameters: [][]byte{{0}, {1}}, ResultFormatCodes: []int16{1, 0}}))
	f.Add([]byte("\x00\x00\x00\x00\x00\x01\xff\xff\xff\xfe\x00\x00")) // length -2: pgx issue 2519
	f.Add([]byte("\x00\x00\xff\xff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := DecodeBind(body)
		portal, statement, namesErr := BindNames(body)
		if err != nil {
			return
		}
		if namesErr != nil || string(portal) != m.Portal || string(statement) != m.Statement {
			t.Fatalf("names are %q, %q, %v; decoded %q, %q", portal, statement, namesErr, m.Portal, m.Statement)
		}
		var library pgproto3.Bind
		if err := library.Decode(body); err != nil {
			t.Fatalf("the library refuses: %v", err)
		}
		if !sameBind(m, &library) {
			t.Fatalf("decoded %+v, the library %+v", m, library)
		}
		checkBindWith(t, m, &library)
	})
}

func sameBind(m BindMessage, library *pgproto3.Bind) bool {
	formats := make([]int16, len(m.Formats))
	for i, f := range m.Formats {
		formats[i] = int16(f)
	}
	return m.Portal == library.DestinationPortal && m.Statement == library.PreparedStatement &&
		slices.Equal(formats, library.ParameterFormatCodes) && slices.EqualFunc(m.Params, library.Parameters, sameValue)
}

// sameValue tells NULL from an empty value.
func sameValue(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

// checkBindWith adds a parameter behind m's own and one place between.
func checkBindWith(t *testing.T, m BindMessage, library *pgproto3.Bind) {
	t.Helper()
	number := len(m.Params) + 2
	if number > 0xffff || len(m.Formats) > 1 && len(m.Formats) != len(m.Params) {
		return // more than the message can hold, or refused by the server
	}
	frame := Frame(AppendBindWith(nil, m, number-1, Row{[]byte("now")}))
	with, err := DecodeBind(frame.Body())
	if err != nil {
		t.Fatalf("with a parameter: %v", err)
	}
	want := append(slices.Clone(m.Params), nil, []byte("now"))
	if !slices.EqualFunc(with.Params, want, sameValue) || !bytes.Equal(with.results, m.results) {
		t.Fatalf("with a parameter: %+v", with)
	}
	for i := range m.Params {
		if with.format(i) != m.format(i) {
			t.Fatalf("parameter %d has format %d, had %d", i, with.format(i), m.format(i))
		}
	}
	if with.format(number-1) != 0 || with.format(number-2) != 0 {
		t.Fatal("the parameter of ours is not text")
	}
}

// FuzzErrorFields: fields are what the library says that they are, and a shifted
// position changes nothing else.
func FuzzErrorFields(f *testing.F) {
	f.Add([]byte("SERROR\x00VERROR\x00C42601\x00Mno\x00P7\x00\x00"), 3)
	f.Add([]byte("P7\x00"), -9)
	f.Add([]byte(""), 1)
	f.Add([]byte("P999999999999999999999\x00\x00"), 1)
	f.Add([]byte("M"), 1)
	f.Fuzz(func(t *testing.T, body []byte, by int) {
		code := ErrorField(body, FieldCode)
		var library pgproto3.ErrorResponse
		wellFormed := len(body) > 0 && body[len(body)-1] == 0 && library.Decode(body) == nil
		if wellFormed && single(body, FieldCode) && code != library.Code {
			t.Fatalf("code %q, the library says %q", code, library.Code)
		}
		by %= 1000
		shifted := Frame(AppendPlaced(nil, AppendMessage(nil, KindErrorResponse, body), &Expect{Base: by}))
		if int(binary.BigEndian.Uint32(shifted[1:])) != len(shifted)-1 || shifted.Kind() != KindErrorResponse {
			t.Fatalf("shifted to %q", []byte(shifted))
		}
		for _, field := range []byte{FieldSeverity, FieldMessage, FieldDetail} {
			if ErrorField(shifted.Body(), field) != ErrorField(body, field) {
				t.Fatalf("field %c of %q became %q", field, body, []byte(shifted))
			}
		}
	})
}

// single reports whether a field occurs at most once: with more, the first counts for us
// and the last for the library.
func single(body []byte, field byte) bool {
	n := 0
	for _, part := range bytes.Split(body, []byte{0}) {
		if len(part) > 0 && part[0] == field {
			n++
		}
	}
	return n <= 1
}

// FuzzDecoders: no body makes a decoder panic or read what is not there.
func FuzzDecoders(f *testing.F) {
	f.Add([]byte("Sname\x00"))
	f.Add([]byte("s\x00SELECT 1\x00\x00\x01\x00\x00\x00\x17"))
	f.Add([]byte("p\x00\x00\x00\x00\x05"))
	f.Add([]byte("\x00\x01\xff\xff\xff\xfe"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if m, err := DecodeParse(body); err == nil {
			again := Frame(AppendParse(nil, m.Name, m.Query, m.Types))
			if !bytes.Equal(again.Body(), body) {
				t.Fatalf("Parse %q became %q", body, again.Body())
			}
		}
		if what, name, err := DecodeTarget(body); err == nil {
			if again := Frame(AppendClose(nil, what, name)); !bytes.Equal(again.Body(), body) {
				t.Fatalf("Close %q became %q", body, again.Body())
			}
		}
		if text, err := DecodeQuery(body); err == nil {
			if again := Frame(AppendQuery(nil, string(text))); !bytes.Equal(again.Body(), body) {
				t.Fatalf("Query %q became %q", body, again.Body())
			}
		}
		if name, value, err := DecodeParameterStatus(body); err == nil {
			if again := Frame(AppendParameterStatus(nil, name, value)); !bytes.Equal(again.Body(), body) {
				t.Fatalf("ParameterStatus %q became %q", body, again.Body())
			}
		}
		if pid, secret, err := DecodeKeyData(body); err == nil {
			if again := Frame(AppendKeyData(nil, pid, secret)); !bytes.Equal(again.Body(), body) {
				t.Fatalf("BackendKeyData %q became %q", body, again.Body())
			}
		}
		if _, rows, err := DecodeExecute(body); err == nil && rows == 0 {
			portal, _, _ := DecodeExecute(body)
			if again := Frame(AppendExecute(nil, portal)); !bytes.Equal(again.Body(), body) {
				t.Fatalf("Execute %q became %q", body, again.Body())
			}
		}
		FirstColumn(body)
		CommandTag(body)
		AppendParamsWithout(nil, AppendMessage(nil, KindParameterDescription, body), 1)
	})
}

// TestEncodersAgreeWithTheLibrary compares what we encode with what the library does.
func TestEncodersAgreeWithTheLibrary(t *testing.T) {
	frontend := func(m pgproto3.FrontendMessage) []byte {
		b, err := m.Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	backend := func(m pgproto3.BackendMessage) []byte {
		b, err := m.Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tests := []struct {
		name      string
		got, want []byte
	}{
		{"Query of parts", AppendQuery(nil, "BEGIN;", "SELECT 1"), frontend(&pgproto3.Query{String: "BEGIN;SELECT 1"})},
		{"Parse", AppendParse(nil, "s", "SELECT $1", []uint32{23}), frontend(&pgproto3.Parse{Name: "s", Query: "SELECT $1", ParameterOIDs: []uint32{23}})},
		{"Bind", AppendBindPlain(nil, "p", "s"), frontend(&pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s"})},
		{"Execute", AppendExecute(nil, "p"), frontend(&pgproto3.Execute{Portal: "p"})},
		{"Close", AppendClose(nil, 'S', "s"), frontend(&pgproto3.Close{ObjectType: 'S', Name: "s"})},
		{"Sync", AppendSync(nil), frontend(&pgproto3.Sync{})},
		{"Flush", AppendFlush(nil), frontend(&pgproto3.Flush{})},
		{"Terminate", AppendTerminate(nil), frontend(&pgproto3.Terminate{})},
		{"SSLRequest", AppendSSLRequest(nil), frontend(&pgproto3.SSLRequest{})},
		{"CancelRequest", AppendCancel(nil, 7, []byte{0, 0, 0, 9}), frontend(&pgproto3.CancelRequest{ProcessID: 7, SecretKey: 9})},
		{"StartupMessage", AppendStartup(nil, map[string]string{"user": "u"}), frontend(&pgproto3.StartupMessage{ProtocolVersion: Protocol30, Parameters: map[string]string{"user": "u"}})},
		{"ReadyForQuery", AppendReady(nil, TxFailed), backend(&pgproto3.ReadyForQuery{TxStatus: 'E'})},
		{"CommandComplete", AppendCommandComplete(nil, "INSERT 0 1"), backend(&pgproto3.CommandComplete{CommandTag: []byte("INSERT 0 1")})},
		{"ParameterStatus", AppendParameterStatus(nil, "a", "b"), backend(&pgproto3.ParameterStatus{Name: "a", Value: "b"})},
		{"BackendKeyData", AppendKeyData(nil, 7, []byte{0, 0, 0, 9}), backend(&pgproto3.BackendKeyData{ProcessID: 7, SecretKey: 9})},
		{"EmptyQueryResponse", AppendEmpty(nil, KindEmptyQueryResponse), backend(&pgproto3.EmptyQueryResponse{})},
		{"ErrorResponse", AppendError(nil, pgerr.New(pgerr.SyntaxError, "no")), backend(&pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "42601", Message: "no"})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !reflect.DeepEqual(tt.got, tt.want) {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		})
	}
}
