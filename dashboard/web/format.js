// Numbers, instants and colours as people read them.

const GROUPED = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

export const whole = (value) =>
    value === undefined || value === null ? '–' : GROUPED.format(value)

// Four digits at most: 0.123, 12.3, 123, 12.3k, 1.23M.
export function short(value) {
    if (value === undefined || value === null || !Number.isFinite(value)) {
        return '–'
    }
    const size = Math.abs(value)
    for (const [unit, factor] of [
        ['T', 1e12],
        ['G', 1e9],
        ['M', 1e6],
        ['k', 1e3],
    ]) {
        if (size >= factor * 0.9995 && (unit !== 'k' || size >= 9999.5)) {
            return digits(value / factor) + unit
        }
    }
    return digits(value)
}

function digits(value) {
    const size = Math.abs(value)
    if (size === 0) {
        return '0'
    }
    if (size >= 100 || Number.isInteger(value)) {
        return value.toFixed(0)
    }
    return size >= 10
        ? value.toFixed(1)
        : size >= 0.1
          ? value.toFixed(2)
          : size >= 0.001
            ? value.toFixed(3)
            : value.toExponential(1)
}

export const bytes = (value) =>
    value === undefined || value === null
        ? '–'
        : value < 1024
          ? `${short(value)} B`
          : value < 1024 * 1024
            ? `${digits(value / 1024)} KiB`
            : value < 1024 ** 3
              ? `${digits(value / 1024 ** 2)} MiB`
              : `${digits(value / 1024 ** 3)} GiB`

// A length of time in its own unit: 1.2 ms, 34 s, 5.6 min.
export function lasting(seconds) {
    if (seconds === undefined || seconds === null || !Number.isFinite(seconds)) {
        return '–'
    }
    const size = Math.abs(seconds)
    if (size === 0) {
        return '0 s'
    }
    if (size < 0.9995e-3) {
        return `${digits(seconds * 1e6)} µs`
    }
    if (size < 0.9995) {
        return `${digits(seconds * 1e3)} ms`
    }
    return size < 120
        ? `${digits(seconds)} s`
        : size < 7200
          ? `${digits(seconds / 60)} min`
          : size < 172800
            ? `${digits(seconds / 3600)} h`
            : `${digits(seconds / 86400)} d`
}

const two = (value) => String(value).padStart(2, '0')

// An instant of the run: 1d 02:03:04.567.
export function clock(seconds, decimals = 1) {
    if (seconds === undefined || seconds === null || !Number.isFinite(seconds)) {
        return '–'
    }
    const scale = 10 ** decimals
    const all = Math.floor(Math.abs(seconds) * scale + 1e-6)
    const s = Math.floor(all / scale)
    const fraction = decimals === 0 ? '' : '.' + String(all % scale).padStart(decimals, '0')
    const days = Math.floor(s / 86400)
    return (
        (seconds < 0 ? '-' : '') +
        (days ? `${days}d ` : '') +
        `${two(Math.floor(s / 3600) % 24)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` +
        fraction
    )
}

// The instant with as many decimals as a range of this width needs.
export const clock_for = (seconds, range) =>
    clock(seconds, range > 600 ? 0 : range > 20 ? 1 : range > 0.5 ? 3 : 6)

export function date_time(unix_seconds) {
    if (!Number.isFinite(unix_seconds)) {
        return '–'
    }
    return new Date(unix_seconds * 1000).toISOString().replace('T', ' ').slice(0, 19) + ' UTC'
}

export const speed_text = (value) =>
    !Number.isFinite(value) || value <= 0
        ? '–'
        : value >= 10
          ? `${short(Math.round(value))}×`
          : `${digits(value)}×`

export const percent = (part, all) =>
    all > 0 ? `${((100 * part) / all).toFixed(part === all ? 0 : 1)} %` : '–'

export const words = (name) => (name ?? '').replaceAll('_', ' ')

// Counts by bucket: the latency that `share` (0 to 1) of them do not exceed; null: there are none.
export function percentile(counts, bounds, share) {
    let all = 0
    for (const each of counts) {
        all += each
    }
    if (all === 0) {
        return null
    }
    let sum = 0
    for (let i = 0; i < counts.length; ++i) {
        sum += counts[i]
        if (counts[i] !== 0 && sum >= all * share) {
            return bounds[Math.min(i, bounds.length - 1)]
        }
    }
    return bounds.at(-1)
}

// What came between two cumulative counts; the shorter has zeros where it ends.
export function counts_between(later, earlier) {
    return later.map((each, i) => Math.max(0, each - (earlier?.[i] ?? 0)))
}

// Okabe and Ito's colours, darkened on white where the contrast of a line would be below 3:1.
const DARK = {
    blue: '#56B4E9',
    orange: '#E69F00',
    green: '#2BB58A',
    vermillion: '#F0743E',
    purple: '#CC79A7',
    yellow: '#F0E442',
    grey: '#8b949e',
    text: '#e6e9ee',
    dim: '#a7b0bb',
    grid: '#2c333d',
    panel: '#171b21',
    band: 'rgba(240,116,62,.20)',
    cursor: '#f0e442',
}
const LIGHT = {
    blue: '#0072B2',
    orange: '#B87700',
    green: '#007E5B',
    vermillion: '#C24E00',
    purple: '#A8487F',
    yellow: '#857A00',
    grey: '#6e7781',
    text: '#1a1f26',
    dim: '#535c66',
    grid: '#dfe3e8',
    panel: '#ffffff',
    band: 'rgba(213,94,0,.14)',
    cursor: '#1a1f26',
}

let theme = DARK
export const colours = () => theme
export function use_theme(name) {
    theme = name === 'light' ? LIGHT : DARK
}

// Colour never stands alone: each state has its glyph. As areas of the map the usual state is
// quiet, so that the others stand out, also by lightness.
const pair = (dark, light) => (c) => (c === LIGHT ? light : dark)
export const DEVICE_STATES = [
    { name: 'unseen', glyph: '·', colour: pair('#444c56', '#c3cad1') },
    { name: 'connected', glyph: '●', colour: pair('#1d7a5d', '#86d3b9') },
    { name: 'offline', glyph: '○', colour: pair('#56b4e9', '#0072b2') },
    { name: 'refused', glyph: '▲', colour: pair('#f0c442', '#b87700') },
    { name: 'faulted', glyph: '✕', colour: pair('#f0743e', '#d55e00') },
]
export const MESSAGE_STATES = {
    under_way: ['◔', 'blue'],
    complete: ['✓', 'green'],
    unheard: ['○', 'grey'],
    dropped: ['✕', 'vermillion'],
    refused: ['⊘', 'orange'],
}
export const EVENT_GLYPHS = {
    connected: ['●', 'green'],
    refused: ['⊘', 'orange'],
    disconnected: ['○', 'blue'],
    subscribed: ['＋', 'purple'],
    unsubscribed: ['－', 'purple'],
    session_ended: ['■', 'grey'],
    published: ['↑', 'blue'],
    copy: ['⇈', 'orange'],
    routed: ['⇉', 'grey'],
    retained: ['★', 'purple'],
    queued: ['…', 'orange'],
    sent: ['↓', 'green'],
    resent: ['⇊', 'orange'],
    received: ['↧', 'green'],
    acknowledged: ['✓', 'green'],
    completed: ['✓', 'green'],
    dropped: ['✕', 'vermillion'],
    lost: ['✕', 'vermillion'],
    will: ['†', 'purple'],
    fault: ['⚡', 'vermillion'],
    healed: ['♥', 'green'],
    violation: ['▲', 'vermillion'],
    annotation: ['✎', 'purple'],
    command: ['❯', 'purple'],
    gap: ['┄', 'grey'],
}

// Cividis (Nuñez, Anderton, Renslow 2018) at nine stops; 0 to 1.
const CIVIDIS = [
    [0, 34, 78],
    [18, 53, 112],
    [59, 73, 108],
    [87, 93, 109],
    [112, 113, 115],
    [138, 134, 120],
    [165, 156, 116],
    [195, 179, 105],
    [254, 232, 56],
]
export function cividis(share) {
    const place = Math.min(1, Math.max(0, share)) * (CIVIDIS.length - 1)
    const i = Math.min(CIVIDIS.length - 2, Math.floor(place))
    return CIVIDIS[i].map((each, k) => Math.round(each + (CIVIDIS[i + 1][k] - each) * (place - i)))
}
export const rgb = ([r, g, b]) => `rgb(${r},${g},${b})`
