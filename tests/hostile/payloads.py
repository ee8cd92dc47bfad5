"""What an attacker would send, hoping that a page takes it for more than text.

Each sets `window.__pwned`, or asks for `/pwned`, if it ever comes to life.
"""

SCRIPTS = (
    "<script>window.__pwned=1</script>",
    "<ScRiPt>window.__pwned=1</sCrIpT>",
    "<script src=/pwned.js></script>",
    "<script src=//pwned.example/x.js></script>",
    "<script type=module>window.__pwned=1</script>",
    "<scr<script>ipt>window.__pwned=1</scr</script>ipt>",
    "</script><script>window.__pwned=1</script>",
    "<!--><script>window.__pwned=1</script>-->",
    "<![CDATA[<script>window.__pwned=1</script>]]>",
    "<noscript><p title='</noscript><script>window.__pwned=1</script>'>",
)
HANDLERS = (
    "<img src=x onerror=window.__pwned=1>",
    "<img src=/pwned.png>",
    "<img srcset='/pwned.png 1x'>",
    "<body onload=window.__pwned=1>",
    "<details open ontoggle=window.__pwned=1>",
    "<input autofocus onfocus=window.__pwned=1>",
    "<video><source onerror=window.__pwned=1></video>",
    "<audio src=/pwned.mp3 autoplay onerror=window.__pwned=1>",
    "<marquee onstart=window.__pwned=1>",
    "<a onmouseover=window.__pwned=1>pwned</a>",
    '" onfocus=window.__pwned=1 autofocus x="',
    "' onfocus=window.__pwned=1 autofocus x='",
    "` onfocus=window.__pwned=1 autofocus x=`",
    "x onfocus=window.__pwned=1 autofocus ",
    '"><img src=x onerror=window.__pwned=1>',
    "'><img src=x onerror=window.__pwned=1>",
)
FOREIGN = (
    "<svg onload=window.__pwned=1>",
    "<svg/onload=window.__pwned=1>",
    "<svg><script>window.__pwned=1</script></svg>",
    "<svg><animate onbegin=window.__pwned=1 attributeName=x dur=1s>",
    "<svg><use href=/pwned.svg#x></use></svg>",
    "<math><mtext><mglyph><style><!--</style><img src=x onerror=window.__pwned=1>",
    "<math href=javascript:window.__pwned=1>pwned</math>",
)
ADDRESSES = (
    "javascript:window.__pwned=1",
    "JaVaScRiPt:window.__pwned=1//",
    "java\tscript:window.__pwned=1",
    "data:text/html,<script>window.__pwned=1</script>",
    "<a href=javascript:window.__pwned=1>pwned</a>",
    "<iframe src=javascript:window.__pwned=1></iframe>",
    "<iframe srcdoc='<script>parent.__pwned=1</script>'></iframe>",
    "<object data=/pwned.swf></object><embed src=/pwned.swf>",
    "<form action=/pwned><input type=submit></form>",
    "<base href=//pwned.example/>",
    "<meta http-equiv=refresh content='0;url=/pwned'>",
    "<link rel=stylesheet href=/pwned.css>",
    "<link rel=prefetch href=//pwned.example/x>",
    "//pwned.example/%2e%2e",
)
HTMX = (
    "<div hx-get=/pwned hx-trigger=load></div>",
    "<div data-hx-get=/pwned data-hx-trigger=load></div>",
    "<div hx-on:htmx:load='window.__pwned=1'></div>",
    "<div hx-on::after-init='window.__pwned=1'></div>",
    "<div hx-vals='js:{x:window.__pwned=1}' hx-post=/pwned hx-trigger=load></div>",
    "<div id=main hx-swap-oob=true>pwned</div>",
    "<ul hx-swap-oob='beforeend:#toasts'><li>pwned</li></ul>",
    "<tbody hx-sse:connect=/pwned hx-trigger=load></tbody>",
    "<hx-partial hx-target='#main'>pwned</hx-partial>",
    '" hx-get=/pwned hx-trigger=load "',
)
OWN = (
    "<form action=/pwned><input name=asked value=pwned></form>",
    "<section data-live><tbody data-live-list hx-sse:connect=/pwned></tbody></section>",
    "<div id=announcer>pwned</div><div id=confirm>pwned</div>",
    "</td></tr></tbody></table><script>window.__pwned=1</script>",
    "</code></pre></section></main><img src=x onerror=window.__pwned=1>",
    "</title><script>window.__pwned=1</script>",
    "</textarea><script>window.__pwned=1</script>",
    "</template><img src=x onerror=window.__pwned=1>",
    "</option></select><img src=x onerror=window.__pwned=1>",
)
STREAMS = (
    "pwned\n\nevent: close\ndata: pwned\n\n",
    "pwned\r\n\r\nid: 9999999999999\r\ndata: <img src=x onerror=window.__pwned=1>\r\n\r\n",
    "pwned\u2028\u2029\x85\x0b\x0cdata: <script>window.__pwned=1</script>",
)
TEMPLATES = (
    "{{7*7}}pwned",
    "{% for x in ().__class__.__base__.__subclasses__() %}pwned{% endfor %}",
    "${7*7}pwned<%= 7*7 %>",
    "{{ request.application.__globals__ }}pwned",
)
SIGNS = (
    "\u202epwned\u202d\u2066gnp.exe\u2069",
    "pwned\0<script>window.__pwned=1</script>",
    "pwned\x1b[31m\x07\x08",
    "\ufeff\u200b<script>window.__pwned=1</script>",
    "＜script＞window.__pwned=1＜/script＞",
    "&lt;script&gt;window.__pwned=1&lt;/script&gt;&#x3c;img src=x onerror=window.__pwned=1&#x3e;",
    "%3Cscript%3Ewindow.__pwned=1%3C/script%3E",
    "<style>*{background:url(/pwned.css)}</style>",
    "<p style='background:url(/pwned.css);position:fixed;inset:0'>pwned",
    "<img src=x onerror=window.__pwned=1>" * 400,
)

MUTATING = (
    "<math><mtext><table><mglyph><style><img src=x onerror=window.__pwned=1>",
    "<svg></p><style><a id='</style><img src=x onerror=window.__pwned=1>'>",
    "<form><math><mtext></form><form><mglyph><svg><mtext><textarea>"
    "<path id='</textarea><img src=x onerror=window.__pwned=1>'></form>",
    "<xmp><p title='</xmp><img src=x onerror=window.__pwned=1>'>",
    "<svg><foreignObject><iframe srcdoc='<script>parent.__pwned=1</script>'></svg>",
    "<svg><a><set attributeName=href to=javascript:window.__pwned=1></a></svg>",
    "<math><maction xlink:href=javascript:window.__pwned=1>pwned</maction></math>",
)
IN_JSON = (
    '"}</script><script>window.__pwned=1</script>',
    '\\"};window.__pwned=1//',
    "\\u003cscript\\u003ewindow.__pwned=1\\u003c/script\\u003e",
    '{"__proto__":{"innerHTML":"<img src=x onerror=window.__pwned=1>"}}',
)
IN_STYLES = (
    "red;background:url(/pwned.css)",
    "@import '/pwned.css';",
    "}*{background:url(//pwned.example/x)}</style><img src=/pwned.png>",
)
CLOBBERING = (
    "<img id=main name=body src=/pwned.png>",
    "<form id=confirm action=/pwned><input name=attributes></form>",
    "<form name=htmx action=/pwned><input name=config><input id=announcer></form>",
)
OTHERS_OF_HTMX = (
    """<div hx-config='{"selfRequestsOnly":false}' hx-get=//pwned.example hx-trigger=load></div>""",
    """<meta name=htmx-config content='{"allowEval":true}' http-equiv=pwned>""",
    "<div hx-ext=sse sse-connect=/pwned hx-target=pwned></div>",
    "<form data-confirm=pwned data-live=pwned data-hx-post=/pwned data-hx-trigger=load></form>",
    "' hx-on:load='window.__pwned=1' x='",
    "<scr\u200bipt>window.__pwned=1</scr\u200bipt>\u2067pwned\u2069",
)

PAYLOADS = (
    *(*SCRIPTS, *HANDLERS, *FOREIGN, *ADDRESSES, *HTMX, *OWN, *STREAMS, *TEMPLATES, *SIGNS),
    *(*MUTATING, *IN_JSON, *IN_STYLES, *CLOBBERING, *OTHERS_OF_HTMX),
)
