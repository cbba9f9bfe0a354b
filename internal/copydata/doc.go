// Package copydata follows the rows of a COPY FROM STDIN as they pass, in text and CSV format, and
// finds the words now, today, tomorrow and yesterday in columns where PostgreSQL reads them as the
// moment at which it reads them. Each node would read another moment.
//
// A Watch belongs to one COPY. It is given the bytes in the pieces in which they arrive, which
// may end anywhere, in the middle of a word too, and says what is to be passed on instead. Most
// data has no such words and is passed on as it is, without a copy. A word that a date or
// timestamp begins with is replaced by a literal that PostgreSQL reads as the same value whatever the
// session has set. Where that cannot be done exactly (a composite type, a word behind a time of day, or
// one that is written with escapes), a Refusal says where it is.
//
// What it follows is what PostgreSQL's copyfromparse.c does with delimiters, quotes and escapes, and
// what ParseDateTime (datetime.c) takes for a word. It does not decode values, know types or talk to
// anybody: who uses it says what each column is (Column), how the data is written (Format), and which
// literals the words are (Words). The binary format has no words.
package copydata
