// Command plot draws the pictures of the documentation from what the
// benchmarks wrote.
//
//	zaqar bench run backlog --depth 1000,10000,100000,1000000 --json backlog.json
//	cd tools/plot && go run . backlog ../../backlog.json ../../docs/images/backlog.svg
//
//	ZAQAR_AGE=long ZAQAR_AGE_OUT=$PWD/age.json go test -timeout 30m ./test/age
//	cd tools/plot && go run . age ../../age.json ../../docs/images/compaction.svg
package main

import (
	"fmt"
	"image/color"
	"os"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	pictures := map[string]func([]byte) (*plot.Plot, error){"backlog": backlog, "age": age}
	if len(args) != 3 || pictures[args[0]] == nil {
		return fmt.Errorf("usage: plot backlog|age FROM.json TO.svg")
	}
	b, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	p, err := pictures[args[0]](b)
	if err != nil {
		return fmt.Errorf("%s: %w", args[1], err)
	}
	return p.Save(18*vg.Centimeter, 9*vg.Centimeter, args[2])
}

var (
	blue  = color.RGBA{R: 0x1f, G: 0x5f, B: 0xa8, A: 0xff}
	red   = color.RGBA{R: 0xc0, G: 0x39, B: 0x2b, A: 0xff}
	shade = color.RGBA{R: 0xf2, G: 0xd7, B: 0xa6, A: 0xff}
)

func picture(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = vg.Points(6)
	p.BackgroundColor = color.White
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{Y: 0xe0}, color.Gray{Y: 0xe0}
	p.Add(grid)
	p.Legend.Top = true
	p.X.Tick.Marker, p.Y.Tick.Marker = plain{}, plain{}
	return p
}

func line(p *plot.Plot, name string, xys plotter.XYs, c color.Color, dots bool) error {
	l, err := plotter.NewLine(xys)
	if err != nil {
		return err
	}
	l.Color, l.Width = c, vg.Points(1.5)
	p.Add(l)
	p.Legend.Add(name, l)
	if !dots {
		return nil
	}
	s, err := plotter.NewScatter(xys)
	if err != nil {
		return err
	}
	s.Color, s.Shape, s.Radius = c, draw.CircleGlyph{}, vg.Points(2.5)
	p.Add(s)
	return nil
}

// plain marks an axis with numbers that have no trailing zeros.
type plain struct{}

// Ticks implements plot.Ticker.
func (plain) Ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = strconv.FormatFloat(ticks[i].Value, 'g', 6, 64)
		}
	}
	return ticks
}
