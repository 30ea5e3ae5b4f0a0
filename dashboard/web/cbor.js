// CBOR (RFC 8949) to values: maps as Map, byte strings as Uint8Array, tags as {tag, value}. Throws
// for what is none, or does not end where the bytes do.

const DEPTH_MAX = 64

export function decode_cbor(data) {
    const reader = {
        data,
        view: new DataView(data.buffer, data.byteOffset, data.byteLength),
        at: 0,
    }
    const value = item(reader, 0)
    if (reader.at !== data.length) {
        throw new Error(`${data.length - reader.at} bytes are left behind it`)
    }
    return value
}

const BREAK = Symbol('break')

function take(reader, count) {
    if (reader.at + count > reader.data.length) {
        throw new Error(`it ends within an item, at byte ${reader.at}`)
    }
    const at = reader.at
    reader.at += count
    return at
}

// The argument of a head: a number, or null for an indefinite length.
function argument(reader, low) {
    const { view } = reader
    if (low < 24) {
        return low
    }
    switch (low) {
        case 24:
            return view.getUint8(take(reader, 1))
        case 25:
            return view.getUint16(take(reader, 2))
        case 26:
            return view.getUint32(take(reader, 4))
        case 27: {
            const value = view.getBigUint64(take(reader, 8))
            return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value
        }
        case 31:
            return null
        default:
            throw new Error(`byte ${reader.at - 1} is reserved`)
    }
}

function item(reader, depth, break_allowed = false) {
    if (depth > DEPTH_MAX) {
        throw new Error(`it is nested deeper than ${DEPTH_MAX}`)
    }
    const head = reader.data[take(reader, 1)]
    const [major, low] = [head >> 5, head & 31]
    if (major === 7) {
        return simple(reader, low, break_allowed)
    }
    const size = argument(reader, low)
    if (size === null && (major < 2 || major === 6)) {
        throw new Error(`byte ${reader.at - 1} has an indefinite length where none is allowed`)
    }
    switch (major) {
        case 0:
            return size
        case 1:
            return typeof size === 'bigint' ? -1n - size : -1 - size
        case 2:
            return chunks(reader, size, major)
        case 3:
            return new TextDecoder('utf-8', { fatal: true }).decode(chunks(reader, size, major))
        case 4:
            return list(reader, size, depth)
        case 5:
            return map(reader, size, depth)
        default:
            return { tag: size, value: item(reader, depth + 1) }
    }
}

function simple(reader, low, break_allowed) {
    const { view } = reader
    switch (low) {
        case 20:
            return false
        case 21:
            return true
        case 22:
            return null
        case 23:
            return undefined
        case 24:
            return { simple: view.getUint8(take(reader, 1)) }
        case 25:
            return half(view.getUint16(take(reader, 2)))
        case 26:
            return view.getFloat32(take(reader, 4))
        case 27:
            return view.getFloat64(take(reader, 8))
        case 31:
            if (break_allowed) {
                return BREAK
            }
            throw new Error(`byte ${reader.at - 1} ends what did not begin`)
        default:
            if (low > 27) {
                throw new Error(`byte ${reader.at - 1} is reserved`)
            }
            return { simple: low }
    }
}

function half(bits) {
    const exponent = (bits >> 10) & 31
    const fraction = bits & 1023
    const size =
        exponent === 0
            ? fraction * 2 ** -24
            : exponent === 31
              ? fraction
                  ? NaN
                  : Infinity
              : (1 + fraction / 1024) * 2 ** (exponent - 15)
    return bits & 0x8000 ? -size : size
}

function chunks(reader, size, major) {
    if (size !== null) {
        const at = take(reader, Number(size))
        return reader.data.subarray(at, at + Number(size))
    }
    const parts = []
    for (;;) {
        const head = reader.data[take(reader, 1)]
        if (head === 0xff) {
            break
        }
        if (head >> 5 !== major || (head & 31) === 31) {
            throw new Error(`byte ${reader.at - 1} is no chunk of the string around it`)
        }
        parts.push(chunks(reader, argument(reader, head & 31), major))
    }
    const out = new Uint8Array(parts.reduce((sum, each) => sum + each.length, 0))
    let at = 0
    for (const each of parts) {
        out.set(each, at)
        at += each.length
    }
    return out
}

function list(reader, size, depth) {
    const out = []
    for (let i = 0; size === null || i < size; ++i) {
        const each = item(reader, depth + 1, size === null)
        if (each === BREAK) {
            break
        }
        out.push(each)
    }
    return out
}

function map(reader, size, depth) {
    const out = new Map()
    for (let i = 0; size === null || i < size; ++i) {
        const key = item(reader, depth + 1, size === null)
        if (key === BREAK) {
            break
        }
        out.set(key, item(reader, depth + 1))
    }
    return out
}
