// The link to the source: questions over a WebSocket, answered once or again and again.

export const PROTOCOL = 'fleetarium.feed.v1'
const TOKEN_KEY = 'fleetarium.token'
const WAIT_FIRST_MS = 500
const WAIT_MOST_MS = 15000

// For tests, and for whoever debugs: what has come so far.
export const counters = (window.fleetarium = {
    answers: 0,
    errors: 0,
    opened: 0,
    closed: 0,
    frames: 0,
})

function take_token() {
    const found = /(?:^#|&)token=([^&]*)/.exec(location.hash)
    if (found) {
        let token = found[1]
        try {
            token = decodeURIComponent(token)
        } catch {
            // A bare % is part of the token.
        }
        sessionStorage.setItem(TOKEN_KEY, token)
        history.replaceState(null, '', location.pathname + location.search)
    }
    return sessionStorage.getItem(TOKEN_KEY) ?? ''
}

// A question that stays open. `set` asks anew with other parameters; while an answer is under way
// only the newest wish is kept, so a scrubbed slider never piles questions up.
class Watch {
    constructor(feed, name, every, heard, failed) {
        Object.assign(this, { feed, name, every, heard, failed })
        this.with = null
        this.waits = false
        feed.watches.add(this)
    }

    set(parameters) {
        const text = JSON.stringify(parameters)
        if (text === this.text) {
            return
        }
        this.text = text
        this.with = parameters
        if (!this.waits) {
            this.send()
        }
    }

    // Each wish has an id of its own, so that no late answer is taken for one to the next.
    send() {
        this.forget()
        this.id = this.feed.next_id++
        this.sent = this.with
        const question = { id: this.id, ask: this.name, with: this.with }
        if (this.every) {
            question.every = this.every
        }
        this.waits = this.feed.send(question)
        if (this.waits) {
            this.feed.open.set(this.id, this)
        }
    }

    forget() {
        if (this.feed.open.delete(this.id) && this.every) {
            this.feed.send({ id: this.id, cancel: true })
        }
    }

    answered(message) {
        this.waits = false
        if (message.error !== undefined) {
            this.failed(message.error, this.sent)
        } else {
            this.heard(message.answer, this.sent)
        }
        if (this.feed.watches.has(this) && this.sent !== this.with) {
            this.send()
        } else if (!this.every) {
            this.feed.open.delete(this.id)
        }
    }

    close() {
        this.feed.watches.delete(this)
        this.forget()
    }
}

// A token may have characters that no subprotocol has.
function base64url(text) {
    const bytes = String.fromCharCode(...new TextEncoder().encode(text))
    return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

export class Feed {
    // on.status({state, text, retry_at}): "open", "waiting", "unauthorised", "refused".
    constructor(on) {
        this.on = on
        this.token = take_token()
        this.next_id = 1
        this.watches = new Set()
        this.open = new Map() // id -> Watch that has been asked
        this.once = new Map() // id -> {resolve, reject, question}
        this.wait = WAIT_FIRST_MS
        this.socket = null
    }

    connect() {
        clearTimeout(this.timer)
        const url = new URL('feed', document.baseURI)
        url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
        url.hash = ''
        const protocols = [PROTOCOL]
        if (this.token !== '') {
            protocols.push(`bearer.${base64url(this.token)}`)
        }
        const socket = new WebSocket(url, protocols)
        this.socket = socket
        socket.onopen = () => {
            ++counters.opened
            this.was_open = true
            this.wait = WAIT_FIRST_MS
            this.on.status({ state: 'open', text: '' })
            this.open.clear()
            for (const each of this.watches) {
                if (each.with !== null) {
                    each.send()
                }
            }
        }
        socket.onmessage = (event) => this.received(event.data)
        socket.onclose = (event) => {
            if (this.socket === socket) {
                this.closed(event)
            }
        }
    }

    received(data) {
        let message
        try {
            message = JSON.parse(data)
        } catch {
            this.trouble('The source sent something that is no JSON.')
            return
        }
        const id = message?.id
        if (message?.error !== undefined) {
            ++counters.errors
        } else {
            ++counters.answers
        }
        const once = this.once.get(id)
        const watch = this.open.get(id)
        try {
            if (once) {
                this.once.delete(id)
                if (message.error !== undefined) {
                    once.reject(new Error(message.error))
                } else {
                    once.resolve(message.answer)
                }
            } else if (watch) {
                watch.answered(message)
            } else if (message?.error !== undefined && id === undefined) {
                this.trouble(String(message.error))
            }
        } catch (problem) {
            console.error(problem)
            this.trouble(`An answer could not be shown: ${problem.message}`)
        }
    }

    trouble(text) {
        this.on.trouble(text)
    }

    async closed(event) {
        ++counters.closed
        this.socket = null
        for (const each of this.once.values()) {
            each.reject(new Error('the connection broke off before there was an answer'))
        }
        this.once.clear()
        for (const each of this.watches) {
            each.waits = false
        }
        if (this.stopped) {
            return
        }
        const retry_at = Date.now() + this.wait
        this.on.status({
            state: 'waiting',
            retry_at,
            text: this.was_open
                ? `The feed broke off${event.reason ? ': ' + event.reason : ''}.`
                : 'The source does not answer.',
        })
        this.timer = setTimeout(() => this.connect(), this.wait)
        this.wait = Math.min(WAIT_MOST_MS, this.wait * 1.7)
        if (!this.was_open || event.code === 1008) {
            await this.find_out_why()
        }
        this.was_open = false
    }

    // Browsers do not tell why a WebSocket was refused; HTTP does.
    async find_out_why() {
        let answer
        try {
            answer = await fetch(new URL('api/description', document.baseURI), {
                headers: this.token === '' ? {} : { Authorization: `Bearer ${this.token}` },
            })
        } catch {
            return // not there at all: goes on trying
        }
        if (this.socket?.readyState === WebSocket.OPEN) {
            return
        }
        if (answer.status === 401) {
            clearTimeout(this.timer)
            this.on.status({
                state: 'unauthorised',
                text:
                    this.token === ''
                        ? 'This source asks for a token.'
                        : 'The source does not know this token.',
            })
        } else if (answer.status === 403) {
            clearTimeout(this.timer)
            this.on.status({
                state: 'refused',
                text:
                    'The source refuses this page ' +
                    `(403): ${(await answer.text()).slice(0, 300)}`,
            })
        } else if (answer.ok) {
            try {
                this.check_protocol((await answer.json()).protocol)
            } catch {
                this.trouble('The source answers HTTP, but not with JSON.')
            }
        }
    }

    // False, and the link stays closed: the source speaks another version.
    check_protocol(found) {
        if (found === PROTOCOL) {
            return true
        }
        this.stopped = true
        clearTimeout(this.timer)
        this.socket?.close()
        this.on.status({
            state: 'refused',
            text:
                `This page speaks ${PROTOCOL}, the source ` +
                `${found ?? 'none that it names'}. Reload the page; if that does not help, the ` +
                'page ' +
                'comes from another version of Fleetarium than the source.',
        })
        return false
    }

    use_token(token) {
        this.token = token
        sessionStorage.setItem(TOKEN_KEY, token)
        this.wait = WAIT_FIRST_MS
        this.connect()
    }

    get is_open() {
        return this.socket?.readyState === WebSocket.OPEN
    }

    send(question) {
        if (!this.is_open) {
            return false
        }
        this.socket.send(JSON.stringify(question))
        return true
    }

    // Once. Rejects with the source's own sentence.
    ask(name, parameters = {}) {
        return new Promise((resolve, reject) => {
            const id = this.next_id++
            if (this.send({ id, ask: name, with: parameters })) {
                this.once.set(id, { resolve, reject })
            } else {
                reject(new Error('there is no connection to the source'))
            }
        })
    }

    // Again and again, every so many seconds, until close(). Nothing is asked before set().
    watch(name, every, heard, failed = () => {}) {
        return new Watch(this, name, every, heard, failed)
    }
}
