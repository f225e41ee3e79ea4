"""A headless Chromium, driven over a pipe (--remote-debugging-pipe) with the standard library."""
import base64
import json
import os
import shutil
import subprocess
import tempfile


class Chrome:
    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="chrome-", dir=os.environ.get("TMPDIR", "/tmp"))
        to_read, self.out = os.pipe()
        self.into, to_write = os.pipe()
        self.number = 0
        self.events = []
        self.rest = b""
        flags = ["--headless=new", "--remote-debugging-pipe", f"--user-data-dir={self.home}",
                 "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-extensions",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--disable-default-apps", "--mute-audio", "--disable-dev-shm-usage",
                 "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                 "--proxy-server=direct://"]
        # Its sandbox needs a user namespace, and refuses root.
        if os.geteuid() == 0 or subprocess.run(["unshare", "-U", "true"], stderr=subprocess.DEVNULL,
                                               check=False).returncode != 0:
            flags.append("--no-sandbox")

        def descriptors():  # 3: commands, 4: answers
            first = os.dup(to_read)
            second = os.dup(to_write)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self.process = subprocess.Popen(
            ["chromium", *flags, "about:blank"], preexec_fn=descriptors, pass_fds=(3, 4),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(os.path.join(self.home, "log"), "wb"), start_new_session=True)
        os.close(to_read)
        os.close(to_write)

    def read(self):
        """The next message."""
        while b"\0" not in self.rest:
            piece = os.read(self.into, 1 << 20)
            if not piece:
                raise EOFError("Chromium has gone")
            self.rest += piece
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, session=None, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.out, data):]
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def wait(self, method, session):
        while True:
            for i, event in enumerate(self.events):
                if event["method"] == method and event.get("sessionId") == session:
                    return self.events.pop(i)["params"]
            answer = self.read()
            if "method" in answer:
                self.events.append(answer)

    def close(self):
        try:
            self.call("Browser.close")
        except (EOFError, OSError, RuntimeError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.out)
        os.close(self.into)
        shutil.rmtree(self.home, ignore_errors=True)


class Page:
    """One tab."""

    def __init__(self, chrome):
        self.chrome = chrome
        target = chrome.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = chrome.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log", "Accessibility"):
            self.call(domain + ".enable")

    def call(self, method, **params):
        return self.chrome.call(method, self.session, **params)

    def look(self, width, height, dark):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, url):
        """Gives the events until the page was loaded."""
        self.chrome.events.clear()
        self.call("Page.navigate", url=url)
        self.chrome.wait("Page.loadEventFired", self.session)
        self.run("1")  # whatever came before has been told by then
        return [e for e in self.chrome.events if e.get("sessionId") == self.session]

    def run(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["text"])
        return result["result"].get("value")

    def screenshot(self, path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 4000),
                "scale": 1}
        data = self.call("Page.captureScreenshot", format="png", clip=clip,
                         captureBeyondViewport=True)["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))
