#!/usr/bin/python3
"""Looks at the pages of cpm-status with a browser and says what is wrong with them.

usage: look.py URL SHOTS NAME [PATH[ STATUS[ again]]...]

Opens URL and each PATH below it in light, dark and narrow (which has to give that STATUS, 200, and
to come again by itself), writes SHOTS/NAME-...png, and follows
every link once. Prints a line for each fault; the exit status tells whether there were any.
"""
import http.client
import re
import sys
import urllib.parse

from chrome import Chrome, Page

LOOKS = {"light": (1280, 900, False), "dark": (1280, 900, True), "narrow": (360, 740, False)}

# What our pages are made of: an element or attribute that is not in here came from a value.
ELEMENTS = """html head meta title link body a header nav ul li main div h1 h2 p section dl dt dd span
strong code table caption thead tbody tr th td time progress bdi b wbr footer svg desc g line path
polygon polyline rect text tspan circle marker defs style""".split()

CHECK = r"""
(() => {
  const faults = [], all = [...document.querySelectorAll('*')];
  const say = (what, e) => faults.push(what + (e ? ': ' + e.outerHTML.slice(0, 120) : ''));
  const elements = new Set(ELEMENTS);
  if (document.documentElement.scrollWidth > innerWidth)
    say('wider than the screen by ' + (document.documentElement.scrollWidth - innerWidth));
  for (const e of all) {
    const box = e.getBoundingClientRect();
    if (!elements.has(e.localName)) say('an element that is not ours', e);
    if (box.width > 0 && box.right > innerWidth + 1 && !e.childElementCount &&
        !e.closest('.skip, .scroll'))
      say('reaches out of the screen', e);
    for (const a of e.attributes) {
      if (/^on|^style$|^srcdoc$/i.test(a.name)) say('attribute ' + a.name, e);
      if (['href', 'src', 'xlink:href'].includes(a.name) && !/^(\/(?!\/)|#|data:image\/svg)/.test(a.value))
        say('leads away', e);
    }
  }
  const once = (selector) => {
    const n = document.querySelectorAll(selector).length;
    if (n !== 1) say(n + ' of ' + selector);
  };
  once('h1'); once('main'); once('html[lang]'); once('a.skip');
  if (!document.title.trim()) say('no title');
  for (const t of document.querySelectorAll('table')) {
    if (!t.caption || !t.caption.textContent.trim()) say('no caption', t);
    for (const h of t.querySelectorAll('thead th'))
      if (h.scope !== 'col' || !h.textContent.trim()) say('no heading of a column', h);
    for (const r of t.querySelectorAll('tbody tr'))
      if (!r.querySelector('th[scope=row]')) say('no heading of a row', r);
  }
  for (const s of document.querySelectorAll('section'))
    if (!document.getElementById(s.getAttribute('aria-labelledby'))) say('no name', s);
  for (const e of document.querySelectorAll('nav, progress, svg'))
    if (!e.getAttribute('aria-label') && !e.getAttribute('aria-labelledby')) say('no name', e);
  for (const a of document.querySelectorAll('a'))
    if (!a.textContent.trim()) say('an empty link', a);
  const ids = all.map(e => e.id).filter(Boolean);
  for (const id of ids)
    if (ids.indexOf(id) !== ids.lastIndexOf(id)) say('twice the id ' + id);
  for (const e of document.querySelectorAll('[aria-labelledby]'))
    for (const id of e.getAttribute('aria-labelledby').split(' '))
      if (!ids.includes(id)) say('no such id', e);
  if (/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test(document.body.innerText))
    say('a control character is shown raw');

  // Contrast (WCAG 2.1, 1.4.3) of each text with the first ground behind it that is not clear.
  const colour = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const light = (c) => {
    const [r, g, b] = c.map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = colour(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const seen = new Set();
  for (const e of all) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length)
      continue;
    const style = getComputedStyle(e), inSvg = e.namespaceURI.endsWith('svg');
    const front = colour(inSvg ? style.fill : style.color), back = ground(e);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05), key = front + '/' + back;
    if (ratio < 4.5 && !seen.has(key)) say('contrast ' + ratio.toFixed(1), e);
    seen.add(key);
  }
  return faults;
})()
""".replace("ELEMENTS", repr(ELEMENTS))


class Visit:
    def __init__(self, url, shots, name):
        self.url, self.shots, self.name = url, shots, name
        self.host = urllib.parse.urlsplit(url).netloc
        self.links = set()
        self.faults = 0

    def fault(self, where, what):
        self.faults += 1
        print(f"{where}: {what}")

    def judge(self, where, events, status):
        """Nothing is complained about on the console, nobody else is asked."""
        for event in events:
            params = event["params"]
            if event["method"] == "Network.responseReceived" and params["type"] == "Document":
                if params["response"]["status"] != status:
                    self.fault(where, f"status {params['response']['status']}")
            if event["method"] == "Network.requestWillBeSent":
                asked = params["request"]["url"]
                if urllib.parse.urlsplit(asked).netloc != self.host and not asked.startswith("data:"):
                    self.fault(where, f"asks {asked}")
            elif event["method"] == "Network.loadingFailed":
                self.fault(where, f"not loaded: {params['errorText']}")
            elif event["method"] == "Log.entryAdded":
                text = params["entry"]["text"]
                if status == 200 or f"status of {status}" not in text:
                    self.fault(where, f"console: {text}")
            elif event["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown",
                                     "Page.javascriptDialogOpening"):
                self.fault(where, f"{event['method']}: {params}")

    def page(self, page, path, status, title):
        grounds = set()
        for look, (width, height, dark) in LOOKS.items():
            page.look(width, height, dark)
            where = f"{self.name} /{path} {look}"
            self.judge(where, page.open(self.url + path), status)
            for fault in page.run(CHECK):
                self.fault(where, fault)
            self.spoken(where, page)
            grounds.add(page.run("getComputedStyle(document.body).backgroundColor"))
            page.screenshot(f"{self.shots}/{self.name}-{title}-{look}.png")
        for width in (480, 640, 800, 1024):
            page.look(width, 900, False)
            beyond = page.run("document.documentElement.scrollWidth - innerWidth")
            if beyond > 0:
                self.fault(f"{self.name} /{path} {width} px", f"wider than the screen by {beyond}")
        if len(grounds) != 2:
            self.fault(self.name, f"light and dark have the grounds {grounds}")
        self.links |= set(page.run("[...document.querySelectorAll('a:not(.skip)')].map(a => a.href)"))
        self.keyboard(page, path)

    def spoken(self, where, page):
        """What a screen reader gets: tables are tables however they are laid out, and have names."""
        nodes = [n for n in page.call("Accessibility.getFullAXTree")["nodes"] if not n["ignored"]]
        roles = [node["role"]["value"] for node in nodes]
        for role, selector in (("table", "table"), ("rowheader", "tbody th"), ("row", "tr"),
                               ("columnheader", "thead th"), ("progressbar", "progress"),
                               ("main", "main")):
            shown = page.run(f"[...document.querySelectorAll('{selector}')]"
                             ".filter(e => e.getClientRects().length).length")
            if roles.count(role) != shown:
                self.fault(where, f"{shown} of {selector}, spoken of as {roles.count(role)} {role}")
        for node in nodes:
            if node["role"]["value"] in ("table", "link", "progressbar", "image", "region", "navigation",
                                         "heading") and not node.get("name", {}).get("value"):
                self.fault(where, f"a {node['role']['value']} without a name")

    def keyboard(self, page, path):
        """The first key leads to a link that skips what is the same on all pages, and it is seen."""
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab",
                      windowsVirtualKeyCode=9)
        if page.run("(e => e.className === 'skip' && e.getBoundingClientRect().left >= 0)"
                    "(document.activeElement)") is not True:
            self.fault(f"{self.name} /{path}", "the first Tab does not lead to the skip link")

    def follow(self):
        """Every link leads to a page of ours."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        for link in sorted({link.split("#")[0] for link in self.links}):
            where = urllib.parse.urlsplit(link)
            if where.netloc != self.host:
                self.fault(self.name, f"leads to {link}")
                continue
            connection.request("GET", where.path + ("?" + where.query if where.query else ""))
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                self.fault(self.name, f"{answer.status} for {link}")
        connection.close()


def main():
    url, shots, name, *paths = sys.argv[1:]
    visit = Visit(url, shots, name)
    chrome = Chrome()
    try:
        page = Page(chrome)
        for path in ["", *paths]:
            path, status, again, *_ = [*path.split(" "), "200", ""]
            visit.page(page, path, int(status), re.sub(r"\W.*", "", path) or "overview")
            if again == "again":
                page.chrome.wait("Page.loadEventFired", page.session)
    finally:
        chrome.close()
    visit.follow()
    print(f"{name}: {1 + len(paths)} pages, {len(visit.links)} links, {visit.faults} faults")
    return visit.faults != 0


if __name__ == "__main__":
    sys.exit(main())
