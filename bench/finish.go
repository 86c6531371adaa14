package bench

import (
	"context"
	"errors"
	"io"
	"os"
)

// finish ends a benchmark and reports what was measured, also if that is not
// all because of err. json is the file that gets the report as JSON: "-" is
// stdout, which then gets no table; "" is none.
func (s *stage) finish(ctx context.Context, err error, json string, stdout io.Writer) error {
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	err = errors.Join(err, s.close(ctx))
	if err != nil {
		s.report.Error = err.Error()
	}
	err = errors.Join(err, s.writeJSON(json, stdout))
	if json != "-" && len(s.report.Rows) > 0 {
		err = errors.Join(err, s.report.WriteTable(stdout))
	}
	return err
}

// Writable reports what will keep a report from being written into the file json,
// so that nothing is measured for it in vain. "" and "-" are no files.
func Writable(json string) error {
	if json == "" || json == "-" {
		return nil
	}
	file, err := os.OpenFile(json, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	return file.Close()
}

func (s *stage) writeJSON(name string, stdout io.Writer) error {
	switch name {
	case "":
		return nil
	case "-":
		return s.report.WriteJSON(stdout)
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(s.report.WriteJSON(file), file.Close())
}
