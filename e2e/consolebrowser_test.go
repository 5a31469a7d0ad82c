package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
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
	"github.com/chromedp/chromedp/kb"
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
	ctx, stop, err := harness.OpenChromium(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(stop)
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
	const headings = [...document.querySelectorAll("h1, h2, h3, h4")].filter((e) => e.checkVisibility()).map((e) => Number(e.tagName[1]));
	headings.reduce((before, level) => { is(level <= before + 1, "h" + level + " after h" + before); return level; }, 0);
	["header", "footer", "nav"].forEach((e) => is(document.querySelector(e), "no " + e));
	document.querySelectorAll("section").forEach((e) => is(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.querySelector("h2, h3"), "section without a name: " + e.className));
	document.querySelectorAll("[aria-labelledby], [aria-describedby]").forEach((e) => (e.getAttribute("aria-labelledby") || e.getAttribute("aria-describedby")).split(" ").forEach((id) => is(document.getElementById(id), "refers to nothing: " + id)));
	document.querySelectorAll("fieldset").forEach((e) => is(e.querySelector("legend"), "fieldset without a legend"));
	document.querySelectorAll("[tabindex]").forEach((e) => is(Number(e.tabIndex) <= 0, "an order of its own: " + e.outerHTML));
	document.querySelectorAll("th").forEach((e) => is(e.scope, "no scope: " + e.outerHTML));
	document.querySelectorAll("nav").forEach((e) => is(e.getAttribute("aria-label"), "nav without a name"));
	document.querySelectorAll("svg").forEach((e) => is(e.getAttribute("aria-hidden") || e.getAttribute("aria-label"), "svg without a name"));
	const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
	is(new Set(ids).size === ids.length, "an id twice");
	// Contrast of each text with what is behind it (WCAG 2: 4.5, of large texts 3).
	const colour = (text) => { const n = text.match(/[\d.]+/g).map(Number); return { rgb: text.startsWith("color(") ? n.slice(0, 3).map((v) => v * 255) : n.slice(0, 3), alpha: n.length > 3 ? n[3] : 1 }; };
	const light = (rgb) => { const [r, g, b] = rgb.map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
	const behind = (e) => { for (; e; e = e.parentElement) { const c = colour(getComputedStyle(e).backgroundColor); if (c.alpha > .99) return c.rgb; } return [255, 255, 255]; };
	const faint = new Set();
	document.querySelectorAll("body *").forEach((e) => {
		if (!e.checkVisibility() || e.closest(".hidden, .skip, svg, canvas, .u-wrap") || ![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) return;
		const style = getComputedStyle(e), size = parseFloat(style.fontSize), least = size >= 24 || size >= 18.66 && style.fontWeight >= 700 ? 3 : 4.5;
		const [a, b] = [light(colour(style.color).rgb), light(behind(e))].sort((x, y) => y - x), ratio = (a + .05) / (b + .05);
		if (ratio < least) faint.add("contrast " + ratio.toFixed(2) + " of " + e.tagName + "." + e.className + " " + style.color + ": " + e.textContent.trim().slice(0, 30));
	});
	wrong.push(...faint);
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

// reachable requires that the keyboard alone comes to everything that can be clicked or filled in, in the order of the page.
func (p *browserPage) reachable() {
	p.Helper()
	const things = `(() => { window.things = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")].filter((e) => e.checkVisibility() && !e.disabled); return things.length; })()`
	var n int
	p.do(chromedp.Evaluate(`document.activeElement.blur(); getSelection().collapse(document.body, 0); 0`, nil), chromedp.Evaluate(things, &n))
	require.Positive(p, n)
	for i := range n {
		var at struct {
			Index int
			HTML  string
		}
		p.do(chromedp.KeyEvent(kb.Tab), chromedp.Evaluate(`({ index: things.indexOf(document.activeElement), html: document.activeElement.outerHTML.slice(0, 200) })`, &at))
		require.Equal(p, i, at.Index, "the stop %d of %d is %s", i, n, at.HTML)
	}
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
