package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// warmLooks is how often the list is opened again; the median and the longest are printed.
const warmLooks = 10

// consoleTimeout bounds the wait for anything on a page: 1,000 jobs are paused in that time.
const consoleTimeout = 5 * time.Minute

// consoleLook is the browser that looks at the web console.
type consoleLook struct {
	ctx  context.Context
	base string
	jobs int
}

// measureConsole prints how soon a browser shows the list of jobs, and how long it takes to pause all of them there and
// to have them go on.
func measureConsole(ctx context.Context, base string, jobs int) (err error) {
	home, err := os.MkdirTemp("", "ccr-chromium-")
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	defer os.RemoveAll(home)
	page, stop, err := harness.OpenChromium(ctx, home)
	if err != nil {
		return err
	}
	defer stop()
	l := &consoleLook{ctx: page, base: base, jobs: jobs}
	// The first action starts the browser, which is not the console's time.
	if err := chromedp.Run(page, chromedp.Navigate("about:blank")); err != nil {
		return fmt.Errorf("start the browser: %w", err)
	}
	cold, err := l.open("/")
	if err != nil {
		return err
	}
	fmt.Printf("the list of %d jobs, cold: %s (load %s)\n", jobs, cold, loadAverage())
	if err := l.openAgain("/", "warm"); err != nil {
		return err
	}
	if err := l.openAgain("/?page=10", "warm, the tenth page"); err != nil {
		return err
	}
	if err := l.search(); err != nil {
		return err
	}
	for _, order := range []struct{ button, state string }{{"pause", "paused"}, {"resume", "running"}} {
		if err := l.orderAll(order.button, order.state); err != nil {
			return err
		}
	}
	return nil
}

// pageTimes are milliseconds after the navigation began.
type pageTimes struct {
	First    float64 `json:"first"`    // byte of the answer
	Last     float64 `json:"last"`     // byte of the answer
	Paint    float64 `json:"paint"`    // anything
	Contents float64 `json:"contents"` // text
	Usable   float64 `json:"usable"`   // all rows are there, and scripts have run
	Bytes    float64 `json:"bytes"`
}

func (t pageTimes) String() string {
	return fmt.Sprintf("first paint %.0f ms, contents %.0f ms, complete and usable %.0f ms, of which the server %.0f ms; %.0f kB", t.Paint, t.Contents, t.Usable, t.First, t.Bytes/1000)
}

const readTimes = `(() => {
	const at = (name) => (performance.getEntriesByName(name)[0] || {}).startTime || 0, [n] = performance.getEntriesByType("navigation");
	return { first: n.responseStart, last: n.responseEnd, paint: at("first-paint"), contents: at("first-contentful-paint"), usable: n.domContentLoadedEventEnd, bytes: n.decodedBodySize };
})()`

// open opens a page, and waits until it is painted and complete.
func (l *consoleLook) open(path string) (t pageTimes, err error) {
	if err := l.do(chromedp.Navigate(l.base + path)); err != nil {
		return t, err
	}
	err = l.await(fmt.Sprintf(`document.querySelectorAll("table.jobs tbody tr").length > 0 && document.body.innerText.includes("%d jobs") &&
		performance.getEntriesByType("paint").length === 2 && performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd > 0`, l.jobs))
	if err != nil {
		return t, err
	}
	return t, l.do(chromedp.Evaluate(readTimes, &t))
}

// openAgain opens a page several times, and prints the median and the longest of each time.
func (l *consoleLook) openAgain(path, what string) error {
	var all []pageTimes
	for range warmLooks {
		t, err := l.open(path)
		if err != nil {
			return err
		}
		all = append(all, t)
	}
	middle := func(of func(pageTimes) float64) string {
		var list []float64
		for _, t := range all {
			list = append(list, of(t))
		}
		slices.Sort(list)
		return fmt.Sprintf("%.0f ms (at most %.0f)", list[len(list)/2], list[len(list)-1])
	}
	fmt.Printf("  %s, %d times: first paint %s, contents %s, complete and usable %s, of which the server %s (load %s)\n", what, warmLooks,
		middle(func(t pageTimes) float64 { return t.Paint }), middle(func(t pageTimes) float64 { return t.Contents }),
		middle(func(t pageTimes) float64 { return t.Usable }), middle(func(t pageTimes) float64 { return t.First }), loadAverage())
	return nil
}

// search types the name of the last job.
func (l *consoleLook) search() error {
	if _, err := l.open("/"); err != nil {
		return err
	}
	begun := time.Now()
	if err := l.do(chromedp.SendKeys("input[type=search]", name(l.jobs-1), chromedp.ByQuery)); err != nil {
		return err
	}
	if err := l.await(fmt.Sprintf(`document.body.innerText.includes("1 of %d jobs")`, l.jobs)); err != nil {
		return err
	}
	fmt.Printf("  a name typed into the search is found within %s, the script's pause of 250 ms included\n", time.Since(begun).Round(10*time.Millisecond))
	return nil
}

// orderAll pauses all jobs, or has them go on, and prints how soon the page asks, how long the order takes, and how soon
// the list says of all of them that they have carried it out.
func (l *consoleLook) orderAll(button, state string) error {
	if _, err := l.open("/"); err != nil {
		return err
	}
	begun := time.Now()
	if err := l.do(chromedp.Click("input[name=all]", chromedp.ByQuery), chromedp.Click("button[value="+button+"]", chromedp.ByQuery)); err != nil {
		return err
	}
	if err := l.await(`document.querySelector("input[name=sure]")`); err != nil {
		return err
	}
	asked := time.Now()
	if err := l.do(chromedp.Click("button.primary", chromedp.ByQuery)); err != nil {
		return err
	}
	if err := l.await(`document.querySelector("#list") || document.querySelector("h1").textContent.includes("arried out")`); err != nil {
		return err
	}
	done := time.Now()
	var refused string
	if err := l.do(chromedp.Evaluate(`document.querySelector("#list") ? "" : document.querySelector("main").innerText`, &refused)); err != nil {
		return err
	}
	if refused != "" {
		if len(refused) > 500 {
			refused = refused[:500]
		}
		fmt.Printf("  %s of all: %s\n", button, strings.ReplaceAll(refused, "\n", " "))
		if err := l.do(chromedp.Navigate(l.base + "/")); err != nil {
			return err
		}
	}
	if err := l.await(fmt.Sprintf(`document.querySelector(".counts").innerText.includes("%d %s")`, l.jobs, state)); err != nil {
		return err
	}
	fmt.Printf("  %s of all %d: the page asks after %s, answers after %s more, and the list says %q %s after that (load %s)\n", button, l.jobs,
		asked.Sub(begun).Round(10*time.Millisecond), done.Sub(asked).Round(10*time.Millisecond), state, time.Since(done).Round(10*time.Millisecond), loadAverage())
	return nil
}

func (l *consoleLook) do(actions ...chromedp.Action) error {
	ctx, cancel := context.WithTimeout(l.ctx, consoleTimeout)
	defer cancel()
	return chromedp.Run(ctx, actions...)
}

// await waits until an expression in the page is true.
func (l *consoleLook) await(expression string) error {
	return harness.Await(l.ctx, consoleTimeout, func(context.Context) error {
		ctx, cancel := context.WithTimeout(l.ctx, consoleTimeout)
		defer cancel()
		var is bool
		err := chromedp.Run(ctx, chromedp.Evaluate("!!("+expression+")", &is))
		if err == nil && !is {
			err = errors.New("not so on the page: " + expression)
		}
		return err
	})
}

// loadAverage is how busy the machine has been during the last minute: other work beside makes all figures worse.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "not known"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}
