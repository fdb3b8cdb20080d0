/// How the page looks: light and dark, on a wide screen, a phone and paper.
enum Style {
    static let sheet: Markup = """
        :root{color-scheme:light dark;--page:#fff;--text:#1b1f24;--quiet:#59636e;--line:#d5dae0;--card:#f6f8fa;\
        --ok:#1f883d;--bad:#cf222e;--odd:#bc4c00;--lost:#8250df;--sent:#0969da;--wait:#9aa4af;--off:#6e7781;\
        --tint:#ddf0ff}
        @media (prefers-color-scheme:dark){:root{--page:#0d1117;--text:#e6edf3;--quiet:#9aa4af;--line:#30363d;\
        --card:#161b22;--ok:#3fb950;--bad:#f85149;--odd:#db6d28;--lost:#a371f7;--sent:#58a6ff;--wait:#57606a;\
        --off:#8b949e;--tint:#0c2d57}}
        *{box-sizing:border-box}
        body{margin:0 auto;max-width:60rem;padding:2rem 1.25rem 3rem;background:var(--page);color:var(--text);\
        font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif}
        .defs{position:absolute}
        .brand{margin:0;color:var(--quiet);font-size:.85rem;letter-spacing:.04em}
        h1{margin:.1rem 0 .6rem;font-size:1.9rem;line-height:1.2;overflow-wrap:anywhere}
        h1 .id{color:var(--quiet);font-weight:400}
        h2{margin:0 0 .75rem;font-size:1.2rem}
        section{margin-top:2.25rem}
        .lead{margin:.25rem 0;display:flex;flex-wrap:wrap;gap:.5rem .75rem;align-items:center}
        .reason{margin:.6rem 0 0;padding:.5rem .8rem;border-left:3px solid var(--line);color:var(--quiet);\
        overflow-wrap:anywhere}
        .state{padding:.1rem .75rem;border-radius:1rem;border:1.5px solid currentColor;font-weight:600}
        .state.succeeded{color:var(--ok)}.state.failed{color:var(--bad)}.state.partial,.state.paused{color:var(--odd)}\
        .state.running,.state.submitted{color:var(--sent)}.state.cancelled,.state.expired,.state.queued{color:var(--quiet)}
        code,pre{font:.875em/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
        .lead code{padding:.2rem .55rem;border-radius:.35rem;background:var(--card);border:1px solid var(--line)}
        code{overflow-wrap:anywhere}
        pre{margin:.15rem 0;white-space:pre-wrap;overflow-wrap:anywhere;max-height:16rem;overflow:auto}
        .facts{display:flex;flex-wrap:wrap;gap:1px;margin:1.5rem 0 0;\
        border:1px solid var(--line);border-radius:.5rem;background:var(--line);overflow:hidden}
        .facts+.facts{margin-top:.5rem}.facts div{padding:.6rem .85rem;background:var(--card);flex:1 1 auto;min-width:7.5rem}
        dt{color:var(--quiet);font-size:.8rem}dd{margin:0;font-size:1.05rem;font-weight:600;font-variant-numeric:tabular-nums}
        dd time{font-size:.9rem}
        figure{margin:0 0 1rem}figcaption,caption{color:var(--quiet);font-size:.875rem;text-align:left;margin-bottom:.35rem}
        caption{padding-bottom:.35rem}
        .bar{display:block;border-radius:.35rem}
        .legend{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;margin:.6rem 0;padding:0;list-style:none;font-size:.9rem}
        .legend b{font-variant-numeric:tabular-nums}
        .key{width:24px;height:12px;margin-right:.45rem;vertical-align:-1px;border-radius:2px}
        .quiet{color:var(--quiet)}p.quiet{font-size:.875rem}
        .chart{display:block;width:100%;height:auto}.chart.narrow{display:none}
        .tick{fill:var(--quiet);font-size:12px;font-variant-numeric:tabular-nums}
        .grid,.axis{stroke:var(--line);fill:none}.axis{stroke:var(--quiet)}
        .area{fill:var(--tint)}.submitted,.succeeded,.others{fill:none;stroke-width:2.25;stroke-linejoin:round}
        .submitted{stroke:var(--sent);stroke-width:1.5}.succeeded{stroke:var(--ok)}
        .others{stroke:var(--bad);stroke-dasharray:6 4}
        span.submitted,span.succeeded{stroke:none}
        .s-succeeded,.r-accepted{fill:var(--ok)}.s-failed,.r-refused{fill:var(--bad)}\
        .s-rejected,.r-throttled{fill:var(--odd)}.s-unknown,.r-lost,.r-unauth{fill:var(--lost)}\
        .s-submitted,.r-inflight{fill:var(--sent)}.s-pending{fill:var(--wait)}.s-cancelled,.r-notsent{fill:var(--off)}
        .scroll{overflow-x:auto}.scroll:focus-visible{outline:2px solid var(--sent)}
        table{width:100%;border-collapse:collapse;font-size:.9rem}
        th{text-align:left;font-size:.8rem;color:var(--quiet);font-weight:600;white-space:nowrap}
        th,td{padding:.4rem .9rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top}
        td:last-child,th:last-child{padding-right:0}
        .number{text-align:left;font-variant-numeric:tabular-nums;white-space:nowrap;width:6rem}.took{white-space:nowrap}
        .share{display:block;margin-top:.2rem}
        footer{margin-top:3rem;padding-top:.75rem;border-top:1px solid var(--line);color:var(--quiet);font-size:.85rem}
        time{white-space:nowrap;font-variant-numeric:tabular-nums}
        @media (max-width:640px){body{padding:1.1rem .9rem 2rem}h1{font-size:1.45rem}\
        .chart.wide{display:none}.chart.narrow{display:block}.facts div{min-width:40%}\
        th,td{padding-right:.6rem}.number{width:3.5rem}.took,time{white-space:normal}section{margin-top:1.8rem}}
        @media print{:root{color-scheme:light;--page:#fff;--text:#000;--quiet:#444;--line:#bbb;--card:#fff;--ok:#1f883d;\
        --bad:#cf222e;--odd:#bc4c00;--lost:#8250df;--sent:#0969da;--wait:#9aa4af;--off:#6e7781;--tint:#ddf0ff}\
        @page{margin:1.6cm}body{max-width:none;padding:0;font-size:10.5pt}\
        .chart.wide{display:block}.chart.narrow{display:none}figure,tr,.facts,h2{break-inside:avoid}h2{break-after:avoid}\
        .scroll{overflow:visible}pre{max-height:none}section{margin-top:1.3rem}}
        """
}
