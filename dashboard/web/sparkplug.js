// Sparkplug B payloads (org.eclipse.tahu.protobuf.Payload, Sparkplug 3.0 section 6.4): the part of
// protobuf that they use.

const TYPES = [
    'Unknown',
    'Int8',
    'Int16',
    'Int32',
    'Int64',
    'UInt8',
    'UInt16',
    'UInt32',
    'UInt64',
    'Float',
    'Double',
    'Boolean',
    'String',
    'DateTime',
    'Text',
    'UUID',
    'DataSet',
    'Bytes',
    'File',
    'Template',
    'PropertySet',
    'PropertySetList',
    'Int8Array',
    'Int16Array',
    'Int32Array',
    'Int64Array',
    'UInt8Array',
    'UInt16Array',
    'UInt32Array',
    'UInt64Array',
    'FloatArray',
    'DoubleArray',
    'BooleanArray',
    'StringArray',
    'DateTimeArray',
]
const SIGNED_BITS = { 1: 8, 2: 16, 3: 32, 4: 64 }
const DEPTH_MAX = 16

// The fields of a message: [number, wire type, value]; varints as BigInt.
function* fields(data) {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
    let at = 0
    const varint = () => {
        let value = 0n
        for (let shift = 0n; ; shift += 7n) {
            if (at >= data.length || shift > 63n) {
                throw new Error(`a number does not end, at byte ${at}`)
            }
            const byte = data[at++]
            value |= BigInt(byte & 127) << shift
            if (byte < 128) {
                return BigInt.asUintN(64, value)
            }
        }
    }
    const take = (count) => {
        if (count > data.length - at) {
            throw new Error(`a field is longer than what is left, at byte ${at}`)
        }
        at += count
        return at - count
    }
    while (at < data.length) {
        const key = Number(varint())
        const [number, wire] = [key >>> 3, key & 7]
        if (number === 0) {
            throw new Error(`field 0 at byte ${at}`)
        }
        if (wire === 0) {
            yield [number, wire, varint()]
        } else if (wire === 1) {
            yield [number, wire, { double: view.getFloat64(take(8), true) }]
        } else if (wire === 2) {
            const size = Number(varint())
            const from = take(size)
            yield [number, wire, data.subarray(from, from + size)]
        } else if (wire === 5) {
            yield [number, wire, { float: view.getFloat32(take(4), true) }]
        } else {
            throw new Error(`wire type ${wire} at byte ${at}`)
        }
    }
}

const text = (data) => new TextDecoder('utf-8', { fatal: true }).decode(data)
const number = (value) => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value)

// Signed values travel as the unsigned ones with the same bits.
function whole(value, type) {
    return type in SIGNED_BITS
        ? number_signed(BigInt.asIntN(SIGNED_BITS[type], value))
        : number(value)
}
const number_signed = (value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value)

const bytes_only = (value) => {
    if (!(value instanceof Uint8Array)) {
        throw new Error('a field has another wire type than its number says')
    }
    return value
}

export function decode_sparkplug(data) {
    const out = { metrics: [] }
    for (const [field, wire, value] of fields(data)) {
        if (field === 1 && wire === 0) {
            out.timestamp = value
        } else if (field === 2) {
            out.metrics.push(metric(bytes_only(value), 0))
        } else if (field === 3 && wire === 0) {
            out.seq = value
        } else if (field === 4) {
            out.uuid = text(bytes_only(value))
        } else if (field === 5) {
            out.body = bytes_only(value)
        } else {
            throw new Error(`a payload has no field ${field}`)
        }
    }
    return out
}

function metric(data, depth) {
    if (depth > DEPTH_MAX) {
        throw new Error('templates are nested too deep')
    }
    const out = { type: '' } // of data often none: the birth had it
    let type = 0
    const raw = []
    for (const [field, wire, value] of fields(data)) {
        if (field === 1) {
            out.name = text(bytes_only(value))
        } else if (field === 2 && wire === 0) {
            out.alias = value
        } else if (field === 3 && wire === 0) {
            out.timestamp = value
        } else if (field === 4 && wire === 0) {
            type = Number(value)
            out.type = TYPES[type] ?? `type ${type}`
        } else if (field === 5 || field === 6) {
            out[field === 5 ? 'is_historical' : 'is_transient'] = value !== 0n
        } else if (field === 7) {
            out.is_null = value !== 0n
        } else if (field === 9) {
            out.properties = properties(bytes_only(value))
        } else if (field >= 10 && field <= 19) {
            raw.push([field, value])
        }
    }
    for (const [field, value] of raw) {
        out.value = metric_value(field, value, type, depth)
    }
    return out
}

// The oneof of a metric, fields 10 to 19.
function metric_value(field, value, type, depth) {
    switch (field) {
        case 10:
        case 11:
            return type === 13 ? `${new Date(Number(value)).toISOString()}` : whole(value, type)
        case 12:
            return value.float
        case 13:
            return value.double
        case 14:
            return value !== 0n
        case 15:
            return text(bytes_only(value))
        case 16:
            return type >= 22 && type <= 34 ? array(bytes_only(value), type) : bytes_only(value)
        case 17:
            return data_set(bytes_only(value))
        case 18:
            return template(bytes_only(value), depth)
        default:
            return bytes_only(value)
    }
}

// Arrays are packed little-endian; of booleans a count and bits, of strings zero-terminated texts.
function array(data, type) {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
    const read = {
        22: [1, 'getInt8'],
        23: [2, 'getInt16'],
        24: [4, 'getInt32'],
        25: [8, 'getBigInt64'],
        26: [1, 'getUint8'],
        27: [2, 'getUint16'],
        28: [4, 'getUint32'],
        29: [8, 'getBigUint64'],
        30: [4, 'getFloat32'],
        31: [8, 'getFloat64'],
        34: [8, 'getBigUint64'],
    }[type]
    if (read) {
        return Array.from({ length: Math.floor(data.length / read[0]) }, (_, i) =>
            view[read[1]](i * read[0], true)
        )
    }
    if (type === 32) {
        const count = Math.min(view.getUint32(0, true), (data.length - 4) * 8)
        return Array.from(
            { length: count },
            (_, i) => ((data[4 + (i >> 3)] >> (7 - (i & 7))) & 1) === 1
        )
    }
    return text(data).split('\0').slice(0, -1)
}

function properties(data) {
    const keys = []
    const found = []
    for (const [field, , value] of fields(data)) {
        if (field === 1) {
            keys.push(text(bytes_only(value)))
        } else if (field === 2) {
            let type = 0
            let inner = null
            for (const [number_of, wire, each] of fields(bytes_only(value))) {
                if (number_of === 1 && wire === 0) {
                    type = Number(each)
                } else if (number_of === 3 || number_of === 4) {
                    inner = whole(each, type)
                } else if (number_of === 5) {
                    inner = each.float
                } else if (number_of === 6) {
                    inner = each.double
                } else if (number_of === 7) {
                    inner = each !== 0n
                } else if (number_of === 8) {
                    inner = text(bytes_only(each))
                }
            }
            found.push(inner)
        }
    }
    return Object.fromEntries(keys.map((key, i) => [key, found[i]]))
}

function data_set(data) {
    const out = { columns: [], types: [], rows: [] }
    for (const [field, wire, value] of fields(data)) {
        if (field === 2) {
            out.columns.push(text(bytes_only(value)))
        } else if (field === 3) {
            out.types.push(...(wire === 0 ? [Number(value)] : [...bytes_only(value)]))
        } else if (field === 4) {
            out.rows.push(
                [...fields(bytes_only(value))]
                    .filter(([each]) => each === 1)
                    .map(([, , element], i) => {
                        const first = [...fields(bytes_only(element))][0]
                        return first === undefined
                            ? null
                            : first[0] <= 2
                              ? whole(first[2], out.types[i])
                              : first[0] === 3
                                ? first[2].float
                                : first[0] === 4
                                  ? first[2].double
                                  : first[0] === 5
                                    ? first[2] !== 0n
                                    : text(first[2])
                    })
            )
        }
    }
    return { columns: out.columns, rows: out.rows }
}

function template(data, depth) {
    const out = { metrics: [] }
    for (const [field, wire, value] of fields(data)) {
        if (field === 1 || field === 4) {
            out[field === 1 ? 'version' : 'template_ref'] = text(bytes_only(value))
        } else if (field === 2) {
            out.metrics.push(metric(bytes_only(value), depth + 1))
        } else if (field === 5 && wire === 0) {
            out.is_definition = value !== 0n
        }
    }
    return out
}
