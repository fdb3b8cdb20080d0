/// Patterns over colours, so that what matters does not hang on colour alone.
enum Hatch {
    /// Each is named in the page once.
    static let definitions: Markup = """
        <svg class="defs" aria-hidden="true" width="0" height="0"><defs>\
        <pattern id="h-stripes" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">\
        <path d="M0 0V6" stroke="var(--page)" stroke-width="3"/></pattern>\
        <pattern id="h-dots" width="6" height="6" patternUnits="userSpaceOnUse">\
        <circle cx="3" cy="3" r="1.5" fill="var(--page)"/></pattern>\
        <pattern id="h-lines" width="6" height="5" patternUnits="userSpaceOnUse">\
        <path d="M0 1H6" stroke="var(--page)" stroke-width="1.5"/></pattern></defs></svg>

        """

    private static let patterns = [
        "failed": "stripes", "rejected": "dots", "unknown": "lines",
        "refused": "stripes", "throttled": "dots", "lost": "lines", "unauth": "stripes",
    ]

    /// The pattern of a style over a rectangle, if it has one.
    static func over(_ style: String, in rectangle: Markup) -> Markup {
        guard let pattern = patterns[style] else { return .none }
        return "<rect fill=\"url(#h-\(pattern))\" \(rectangle)/>"
    }

    /// The pattern of a style over a path, if it has one.
    static func over(_ style: String, path: Markup) -> Markup {
        guard let pattern = patterns[style] else { return .none }
        return "<path fill=\"url(#h-\(pattern))\" d=\"\(path)\"/>"
    }
}
