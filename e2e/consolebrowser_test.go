package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// consolePictures names the folder in which the tests of the console leave pictures, for docs/images:
// make console-pictures. Empty: none are taken.
const consolePictures = "CCR_CONSOLE_PICTURES"

// pageTimeout bounds the wait for anything on a page.
const pageTimeout = 30 * time.Second

// browserPage is a page of a headless Chromium.
type browserPage struct {
	*testing.T
	ctx  context.Context
	base string

	mu    sync.Mutex // guards wrong
	wrong []string   // what the browser complained about
	phone bool
	dark  bool
}

// openBrowser starts a Chromium with an empty profile. Its page has to have nothing to complain about when the
// test is over.
func openBrowser(t *testing.T, base string) *browserPage {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	require.NoError(t, err, "make setup installs it")
	home := t.TempDir()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.UserDataDir(filepath.Join(home, "profile")), chromedp.Env("HOME="+home), chromedp.WSURLReadTimeout(time.Minute),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.Headless, chromedp.WindowSize(1280, 860),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-quic", true), chromedp.Flag("accept-lang", "en-GB"),
	)
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, closePage := chromedp.NewContext(allocator)
	t.Cleanup(closePage)
	p := &browserPage{T: t, ctx: ctx, base: base}
	p.watch()
	// The first actions start the browser, for as long as their context lasts.
	require.NoError(t, chromedp.Run(ctx, log.Enable(), network.Enable()))
	return p
}

// watch notes what the browser complains about: scripts that fail, and what the page's policy forbids.
func (p *browserPage) watch() {
	chromedp.ListenTarget(p.ctx, func(event any) {
		var text string
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			text = e.ExceptionDetails.Error()
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError && e.Entry.Source != log.SourceNetwork {
				text = e.Entry.Text
			}
		}
		if text != "" {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.wrong = append(p.wrong, text)
		}
	})
	p.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		require.Empty(p, p.wrong, "what the browser complained about")
	})
}

// do runs actions, and shows the page if they fail.
func (p *browserPage) do(actions ...chromedp.Action) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, pageTimeout)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		var where, text string
		again, cancel := context.WithTimeout(p.ctx, 5*time.Second)
		defer cancel()
		_ = chromedp.Run(again, chromedp.Location(&where), chromedp.Evaluate("document.body.innerText", &text))
		require.NoError(p, err, "at %s:\n%s", where, text)
	}
}

// open goes to a page of the console; path begins with "/".
func (p *browserPage) open(path string) {
	p.Helper()
	p.do(chromedp.Navigate(p.base + path))
}

// job goes to the page of a job.
func (p *browserPage) job(name, tab string) {
	p.Helper()
	p.open("/console/job?name=" + url.QueryEscape(name) + "&tab=" + tab)
}

// await waits until an expression in the page is true. A page that makes way for another has no answer for
// a moment.
func (p *browserPage) await(expression string) {
	p.Helper()
	err := harness.Await(p.ctx, pageTimeout, func(context.Context) error {
		// chromedp wants the context of the page itself.
		one, cancel := context.WithTimeout(p.ctx, pageTimeout)
		defer cancel()
		var is bool
		if err := chromedp.Run(one, chromedp.Evaluate(fmt.Sprintf("!!(%s)", expression), &is)); err != nil {
			return err
		}
		if !is {
			return fmt.Errorf("not so: %s", expression)
		}
		return nil
	})
	if err != nil {
		p.do(chromedp.ActionFunc(func(context.Context) error { return err }))
	}
}

// see waits until all texts are on the page.
func (p *browserPage) see(texts ...string) {
	p.Helper()
	for _, text := range texts {
		p.await(fmt.Sprintf("document.body.innerText.includes(%q)", text))
	}
}

// lacks requires that a text is not on the page.
func (p *browserPage) lacks(text string) {
	p.Helper()
	var body string
	p.do(chromedp.Evaluate("document.body.innerText", &body))
	require.NotContains(p, body, text)
}

// click clicks on what a selector finds, or on the link or button with a text.
func (p *browserPage) click(what string) {
	p.Helper()
	if strings.ContainsAny(what, "#.[=") {
		p.do(chromedp.Click(what, chromedp.ByQuery, chromedp.NodeVisible))
		return
	}
	p.await(fmt.Sprintf(`(() => {
		const found = [...document.querySelectorAll("a, button, summary")].find((e) => e.textContent.trim() === %q && e.checkVisibility());
		if (found) found.click();
		return found;
	})()`, what))
}

// fill writes a text into a field.
func (p *browserPage) fill(field, text string) {
	p.Helper()
	p.do(chromedp.WaitVisible(field, chromedp.ByQuery), chromedp.Evaluate(fmt.Sprintf("document.querySelector(%q).value = %q; 0", field, text), nil))
}

// order opens the page of an action, fills in its fields, given by selector, and orders it.
func (p *browserPage) order(action, job string, fields map[string]string) {
	p.Helper()
	p.open("/console/do?action=" + action + "&name=" + url.QueryEscape(job))
	p.see("What will happen")
	p.sound()
	for field, text := range fields {
		p.fill(field, text)
	}
	p.click("button.primary")
}

// logIn logs in with a token.
func (p *browserPage) logIn(token string) {
	p.Helper()
	p.see("Log in")
	p.do(chromedp.SendKeys("#token", token+"\r", chromedp.ByQuery))
}

// soundness is what each page is asked: what is missing for somebody who does not see it, or has a small screen.
const soundness = `(() => {
	const wrong = [];
	const is = (ok, text) => { if (!ok) wrong.push(text); };
	is(document.documentElement.lang, "no language");
	is(document.querySelectorAll("h1").length === 1, "not one h1");
	is(document.querySelectorAll("main").length === 1, "not one main");
	is(document.title, "no title");
	const visible = (e) => e.getClientRects().length > 0;
	const named = (e) => e.labels && e.labels.length || e.getAttribute("aria-label") || e.getAttribute("aria-labelledby");
	document.querySelectorAll("input:not([type=hidden]), select, textarea").forEach((e) => is(named(e), "no label: " + e.outerHTML));
	document.querySelectorAll("a, button, summary").forEach((e) => is(e.textContent.trim() || e.getAttribute("aria-label"), "no text: " + e.outerHTML));
	document.querySelectorAll("th").forEach((e) => is(e.scope, "no scope: " + e.outerHTML));
	document.querySelectorAll("nav").forEach((e) => is(e.getAttribute("aria-label"), "nav without a name"));
	document.querySelectorAll("svg").forEach((e) => is(e.getAttribute("aria-hidden") || e.getAttribute("aria-label"), "svg without a name"));
	const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
	is(new Set(ids).size === ids.length, "an id twice");
	const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
	is(wide <= 0, "wider than the screen by " + wide);
	return wrong;
})()`

// sound requires that a page is usable without seeing it, and fits on the screen.
func (p *browserPage) sound() {
	p.Helper()
	var wrong []string
	p.do(chromedp.WaitReady("main", chromedp.ByQuery), chromedp.Evaluate(soundness, &wrong))
	var where string
	p.do(chromedp.Location(&where))
	require.Empty(p, wrong, where)
}

// onPhone and inTheDark change what the page is shown on.
func (p *browserPage) onPhone(yes bool) {
	p.Helper()
	p.phone = yes
	if yes {
		p.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateScale(2)))
		return
	}
	p.do(chromedp.EmulateViewport(1280, 860))
}

func (p *browserPage) inTheDark(yes bool) {
	p.Helper()
	p.dark = yes
	scheme := "light"
	if yes {
		scheme = "dark"
	}
	p.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
}

// withoutScript switches scripts off, or on again.
func (p *browserPage) withoutScript(yes bool) {
	p.Helper()
	p.do(emulation.SetScriptExecutionDisabled(yes))
}

// picture takes one, if somebody wants it.
func (p *browserPage) picture(name string) {
	p.Helper()
	dir := os.Getenv(consolePictures)
	if dir == "" {
		return
	}
	var image []byte
	p.do(chromedp.CaptureScreenshot(&image))
	require.NoError(p, os.WriteFile(filepath.Join(dir, "console-"+name+".png"), image, 0o644))
}
