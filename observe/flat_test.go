package observe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/netip"
	"testing"
	"time"
)

// both returns a line as flat writes it and as the standard handler does, and
// whether flat wrote it itself.
func both(t *testing.T, f Format, r slog.Record) (got, want string, itself bool) {
	t.Helper()
	l := &Log{level: new(slog.LevelVar)}
	var own, standard, left bytes.Buffer
	if err := newFlat(f, &own, l.handler(f, &left)).Handle(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	if err := l.handler(f, &standard).Handle(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	return own.String() + left.String(), standard.String(), left.Len() == 0
}

func access(at time.Time, texts ...string) slog.Record {
	r := slog.NewRecord(at, slog.LevelInfo, "request", 0)
	r.AddAttrs(slog.String("method", "POST"), slog.String("route", "/v2/queues/{queue_name}/messages"), slog.Int("status", 201),
		slog.Int64("bytes", 71), slog.Duration("took", 1234567*time.Nanosecond), slog.String("request_id", "req-0b7e"))
	for _, text := range []string{"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "::"} {
		address := netip.MustParseAddr(text)
		r.AddAttrs(slog.Any("address", &address))
	}
	for _, text := range texts {
		r.AddAttrs(slog.String("project", text))
	}
	return r
}

var instant = time.Date(2031, 5, 4, 10, 0, 0, 120_000_000, time.UTC)

// TestFlatWritesAccessRecords makes sure that what it is for does not take the
// other way.
func TestFlatWritesAccessRecords(t *testing.T) {
	for _, f := range []Format{Text, JSON} {
		for _, at := range []time.Time{instant, instant.In(time.FixedZone("", -12600)), time.Now()} {
			if got, want, itself := both(t, f, access(at, "518b51ea", "")); got != want || !itself {
				t.Errorf("%s: itself %v\n got %s\nwant %s", f, itself, got, want)
			}
		}
	}
}

// TestFlatIsStandard has records with something unusual.
func TestFlatIsStandard(t *testing.T) {
	var records []slog.Record
	for c := range 256 {
		records = append(records, access(instant, string([]byte{byte(c)}), "a"+string([]byte{byte(c)})+"b", string(rune(c))))
	}
	for _, address := range []netip.Addr{{}, netip.MustParseAddr("fe80::1%a b")} {
		r := slog.NewRecord(instant, slog.LevelInfo, "m", 0)
		r.AddAttrs(slog.Any("pointer", &address), slog.Any("address", address), slog.Any("other", []int{1}))
		records = append(records, r)
	}
	for _, text := range []string{"", " ", "a b", "a=b", `a"b`, `a\b`, "a\nb", "é", "\u2028", "\ufeff", "😀", "\xf0\x9f", "<&>", "\u00a0"} {
		r := slog.NewRecord(instant, slog.LevelWarn, text, 0)
		r.AddAttrs(slog.String(text, text))
		records = append(records, r)
	}
	for _, d := range []time.Duration{0, 1, 999, 1000, 1001, -1, -1000, time.Second, 90 * time.Minute, math.MaxInt64, math.MinInt64} {
		r := slog.NewRecord(instant, slog.LevelDebug+1, "m", 0)
		r.AddAttrs(slog.Duration("took", d))
		records = append(records, r)
	}
	for _, v := range []any{nil, true, int64(math.MinInt64), uint64(math.MaxUint64), 1.5, errors.New("e"), instant, []int{1}, Config{}, slog.GroupValue(slog.Int("a", 1)), slog.GroupValue()} {
		r := slog.NewRecord(instant, slog.LevelError, "m", 0)
		r.AddAttrs(slog.Any("a", v), slog.Any("", v), slog.Int("b", 1))
		records = append(records, r, slog.Record{Level: slog.LevelInfo})
	}
	for _, at := range []time.Time{{}, time.Unix(0, 0).UTC(), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		instant.Add(time.Nanosecond), instant.Add(999_999), instant.Add(-time.Nanosecond)} {
		records = append(records, access(at))
	}
	for _, f := range []Format{Text, JSON} {
		for _, r := range records {
			if got, want, _ := both(t, f, r); got != want {
				t.Errorf("%s:\n got %s\nwant %s", f, got, want)
			}
		}
	}
}

func FuzzFlat(f *testing.F) {
	f.Add("request", "project", "518b51ea", int64(201), int64(1234567), int64(1e18), true)
	f.Add("a b", "k=", "\"\\\x00\xff\u2028", int64(-1), int64(-3), int64(-7), false)
	f.Fuzz(func(t *testing.T, message, key, text string, number, took, at int64, json bool) {
		format := Text
		if json {
			format = JSON
		}
		r := slog.NewRecord(time.Unix(0, at).UTC(), slog.Level(int8(number)), message, 0)
		r.AddAttrs(slog.String(key, text), slog.Int64("number", number), slog.Duration("took", time.Duration(took)), slog.Bool(text, json))
		if got, want, _ := both(t, format, r); got != want {
			t.Errorf("%s:\n got %s\nwant %s", format, got, want)
		}
	})
}

// TestFlatPassesOn makes sure that loggers derived from it keep what they add.
func TestFlatPassesOn(t *testing.T) {
	l := &Log{level: new(slog.LevelVar)}
	var out bytes.Buffer
	log := slog.New(newFlat(JSON, &out, l.handler(JSON, &out)))
	log.Debug("not shown")
	log.With("a", 1).WithGroup("g").Info("m", "b", 2)
	if !bytes.Contains(out.Bytes(), []byte(`"a":1,"g":{"b":2}`)) || bytes.Contains(out.Bytes(), []byte("not shown")) {
		t.Errorf("%s", out.Bytes())
	}
}

func BenchmarkAccessRecord(b *testing.B) {
	l := &Log{level: new(slog.LevelVar)}
	for _, f := range []Format{Text, JSON} {
		standard := l.handler(f, io.Discard)
		for name, h := range map[string]slog.Handler{"flat": newFlat(f, io.Discard, standard), "standard": standard} {
			b.Run(string(f)+"/"+name, func(b *testing.B) {
				r := access(time.Now(), "518b51ea133c4facadae42c328d6b77b", "3381af92-2b9e-11e3-b191-71861300734c")
				b.ReportAllocs()
				for b.Loop() {
					if err := h.Handle(b.Context(), r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
