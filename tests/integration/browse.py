#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""browse.py PAGE <SCRIPT - opens a page from disk in a headless Chromium and prints, as JSON, what it saw.

  {"errors": [...], "requests": [...], "paint_ms": N, "result": ...}

errors are exceptions, console errors, dialogs and breaches of the page's policy; requests are all that it asked for
beside itself; result is what SCRIPT, the body of an async function in the page, returned. It has press(KEY) and
click(SELECTOR), which are real input, and resize(WIDTH), by the DevTools protocol over a pipe.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

FLAGS = """--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update
--disable-sync --disable-extensions --disable-default-apps --hide-scrollbars --remote-debugging-pipe""".split()


class Browser:
    def __init__(self, home):
        to_read, self.to_write = os.pipe()
        self.to_read, to_write = os.pipe()

        def as_3_and_4():
            a, b = os.dup(to_read), os.dup(to_write)  # neither may be 3 or 4 before it is moved
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(["chromium", *FLAGS, "--user-data-dir=" + home], preexec_fn=as_3_and_4, close_fds=False,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.buffer, self.number, self.session = b"", 0, None
        self.events = []

    def receive(self):
        while b"\0" not in self.buffer:
            got = os.read(self.to_read, 1 << 20)
            if not got:
                raise SystemExit("browse.py: chromium ended")
            self.buffer += got
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit("browse.py: %s: %s" % (method, answer["error"]["message"]))
                return answer["result"]
            self.events.append(answer)

    def evaluate(self, expression):
        got = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in got:
            return {"exception": got["exceptionDetails"].get("exception", {}).get("description", "?")}
        return got["result"].get("value")

    # What the script asks for by press() and click() waits in the page until it is done here.
    def act(self, wish):
        if wish["kind"] == "press":
            for kind in ("keyDown", "keyUp"):
                self.call("Input.dispatchKeyEvent", type=kind, key=wish["key"], code=wish["key"],
                          windowsVirtualKeyCode={"Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40, "ArrowLeft": 37, "ArrowRight": 39}.get(wish["key"], 0))
        elif wish["kind"] == "resize":
            self.call("Emulation.setDeviceMetricsOverride", width=wish["width"], height=900, deviceScaleFactor=1, mobile=False)
        else:
            for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
                self.call("Input.dispatchMouseEvent", type=kind, x=wish["x"], y=wish["y"], button="left" if kind != "mouseMoved" else "none", clickCount=1)


HELPERS = """
window.wish = null; window.granted = null;
const ask = w => new Promise(done => { window.granted = done; window.wish = w; });
const resize = async width => { await ask({ kind: 'resize', width }); await new Promise(done => setTimeout(done, 300)); };
const press = key => ask({ kind: 'press', key });
const click = async what => {
    const e = typeof what === 'string' ? document.querySelector(what) : what;
    e.scrollIntoView({ block: 'center', behavior: 'instant' });
    const r = e.getBoundingClientRect();
    await ask({ kind: 'click', x: r.x + r.width / 2, y: r.y + r.height / 2 });
};
"""


def run(browser, page, script):
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    browser.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Log", "Network"):
        browser.call(domain + ".enable")
    browser.call("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
    browser.call("Page.navigate", url="file://" + page)
    until = time.monotonic() + 30
    while browser.evaluate("document.readyState === 'complete' && (!document.getElementById('packed') || !!window.heapray)") is not True:
        if time.monotonic() > until:
            raise SystemExit("browse.py: the page does not get ready")
        time.sleep(0.05)
    browser.evaluate("window.out = undefined; (async () => {" + HELPERS + script + "})().then(v => { window.out = { value: v }; }, e => { window.out = { value: 'exception: ' + e.stack }; }); 0")
    while True:
        out = browser.evaluate("window.out || null")
        if out:
            break
        wish = browser.evaluate("window.wish")
        if wish:
            browser.evaluate("window.wish = null")
            browser.act(wish)
            browser.evaluate("window.granted(); 0")
        if time.monotonic() > until:
            raise SystemExit("browse.py: the script does not end")
        time.sleep(0.02)
    paint = browser.evaluate("(performance.getEntriesByName('first-contentful-paint')[0] || {}).startTime")
    return out.get("value"), paint


def main():
    page = os.path.abspath(sys.argv[1])
    home = tempfile.mkdtemp(prefix="heapray-browser.")
    browser = Browser(home)
    try:
        result, paint = run(browser, page, sys.stdin.read())
        errors, requests = [], []
        for event in browser.events:
            method, params = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                errors.append(params["exceptionDetails"].get("exception", {}).get("description", "exception"))
            elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                errors.append(str(params["args"]))
            elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                errors.append(params["entry"]["text"])
            elif method == "Page.javascriptDialogOpening":
                errors.append("dialog: " + params["message"])
            elif method == "Network.requestWillBeSent" and params["request"]["url"].split("#")[0] != "file://" + page:
                requests.append(params["request"]["url"])
        json.dump({"errors": errors, "requests": requests, "paint_ms": paint, "result": result}, sys.stdout)
    finally:
        browser.process.terminate()
        browser.process.wait()
        shutil.rmtree(home, ignore_errors=True)


main()
