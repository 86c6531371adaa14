package bench

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"zaqar/internal/testlog"
)

// screen shows what a terminal would after the bytes.
func screen(text string) []string {
	var lines []string
	var line []rune
	at := 0
	for _, r := range text {
		switch r {
		case '\n':
			lines, line, at = append(lines, strings.TrimRight(string(line), " ")), nil, 0
		case '\r':
			at = 0
		default:
			if at == len(line) {
				line = append(line, 0)
			}
			line[at] = r
			at++
		}
	}
	return append(lines, strings.TrimRight(string(line), " "))
}

func TestProgressOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := new(testlog.Buffer)
		p := &progress{w: out, terminal: true}
		end := p.during("posting", p.rate())
		p.live.Add(1000)
		time.Sleep(often + often/2)
		synctest.Wait()
		if got := screen(out.String()); len(got) != 1 || got[0] != "posting, 0s, 4000 requests/s" {
			t.Errorf("shown: %q", got)
		}
		p.say("a line")
		p.live.Add(500)
		time.Sleep(often)
		synctest.Wait()
		end()
		p.say("the end")
		got := screen(out.String())
		if len(got) != 3 || !strings.HasSuffix(got[0], " a line") || !strings.HasSuffix(got[1], " the end") || got[2] != "" {
			t.Errorf("left on the screen: %q", got)
		}
	})
}

func TestProgressElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := new(testlog.Buffer)
		p := newProgress(out, false)
		end := p.during("posting", nil)
		time.Sleep(seldom - time.Second)
		synctest.Wait()
		if out.String() != "" {
			t.Errorf("told too soon: %q", out)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		end()
		if got := strings.Count(out.String(), "\n"); got != 1 || strings.Contains(out.String(), "\r") || !strings.HasSuffix(out.String(), " posting, 10s\n") {
			t.Errorf("told %q", out)
		}
	})
}

func TestQuiet(t *testing.T) {
	p := newProgress(failing{t}, true)
	end := p.during("posting", nil)
	p.say("a line")
	end()
}

// failing must not be written to.
type failing struct{ *testing.T }

func (f failing) Write(p []byte) (int, error) {
	f.Errorf("told %q", p)
	return 0, io.ErrClosedPipe
}
