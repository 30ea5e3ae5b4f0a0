// What is looked at: plain data, kept in the address so that a link shows the same.

export const VIEWS = [
    'overview',
    'funnel',
    'topics',
    'fleet',
    'devices',
    'messages',
    'latency',
    'faults',
    'log',
]

// name -> how it is written into the address
const NUMBERS = new Set(['at', 'from', 'until', 'window', 'qos', 'message'])

const EMPTY = {
    view: 'overview',
    at: null, // the instant shown; null: the present, or the end
    from: null, // the range of all charts; null: all
    until: null,
    window: null, // seconds before the present, in place of from and until
    topic: '', // topic filter
    client: '',
    qos: null,
    state: '', // of messages
    reason: '',
    device: '', // whose page is open
    message: null,
    search: '', // of devices, topics, log
    group: '', // of the fleet map
    by: 'fleet',
    show: 'none',
}

class State {
    constructor() {
        Object.assign(this, EMPTY)
        this.hover = null // the time cursor under the pointer; not in the address
        this.listeners = new Set()
        this.depth = 0 // steps of the page's own that Back can undo
    }

    read() {
        const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?')
        const next = { ...EMPTY }
        next.view = VIEWS.includes(path) ? path : 'overview'
        for (const [key, value] of new URLSearchParams(query)) {
            if (key in EMPTY && key !== 'view') {
                next[key] = NUMBERS.has(key)
                    ? Number.isFinite(Number(value))
                        ? Number(value)
                        : null
                    : value
            }
        }
        this.change(next, 'read')
    }

    address() {
        const query = new URLSearchParams()
        for (const key of Object.keys(EMPTY)) {
            if (key !== 'view' && this[key] !== EMPTY[key]) {
                query.set(
                    key,
                    typeof this[key] === 'number' ? Number(this[key].toPrecision(12)) : this[key]
                )
            }
        }
        const text = query.toString()
        return `#/${this.view}${text === '' ? '' : '?' + text}`
    }

    // `how`: "push" makes a step that Back undoes, "replace" none, "read" comes from the address.
    change(changes, how = 'replace') {
        const changed = Object.keys(changes).filter((key) => this[key] !== changes[key])
        if (changed.length === 0) {
            return
        }
        Object.assign(this, changes)
        if (how === 'push') {
            history.pushState(null, '', this.address())
            ++this.depth
        } else if (how === 'replace') {
            this.write_soon()
        }
        for (const each of this.listeners) {
            each(new Set(changed))
        }
    }

    // Browsers refuse hundreds of address changes in a few seconds, as a scrubbed cursor makes.
    write_soon() {
        this.timer ??= setTimeout(() => {
            this.timer = undefined
            if (location.hash !== this.address()) {
                history.replaceState(null, '', this.address())
            }
        }, 300)
    }

    set_hover(at) {
        if (this.hover !== at) {
            this.hover = at
            for (const each of this.listeners) {
                each(new Set(['hover']))
            }
        }
    }

    // Where one came from; of a page that was opened by a link, the list that it belongs to.
    back() {
        if (this.depth > 0) {
            history.back()
        } else {
            this.go(this.view)
        }
    }

    go(view, changes = {}) {
        this.change({ view, device: '', message: null, ...changes }, 'push')
    }
}

export const state = new State()

// Settings of this browser, such as the theme.
const SETTINGS_KEY = 'fleetarium.settings'
export const settings = {
    theme: matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark',
    payload: 'auto',
    loop: false,
    connections: true,
    tree_width: 55,
}
try {
    Object.assign(settings, JSON.parse(localStorage.getItem(SETTINGS_KEY) ?? '{}'))
} catch {
    // A setting that cannot be read is as good as none.
}
export function keep_setting(name, value) {
    settings[name] = value
    try {
        localStorage.setItem(SETTINGS_KEY, JSON.stringify(settings))
    } catch {
        // Private windows may keep nothing: it holds until the page closes.
    }
}
