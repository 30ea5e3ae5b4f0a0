#include <fleetarium/core/random.hpp>

#include <support/case_share.hpp>
#include <support/client_support.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <catch2/catch.hpp>

#include <deque>
#include <map>
#include <memory>
#include <string>

// Everything at once, at random: what has to hold whatever happens in between. A failure repeats
// with its seed.

namespace fleetarium::test {
namespace {

namespace asio = boost::asio;

struct sent_message {
    std::string payload;
    enum qos level = qos::at_most_once;
    outcome result;
    asio::cancellation_signal cancel;
    bool cancelled = false;
};

class swarm {
public:
    swarm(std::uint64_t seed, bool broker_forgets)
        : random_(seed, 0, "swarm"), broker_forgets_(broker_forgets) {
        options_.receive_maximum = static_cast<std::uint16_t>(1 + random_.below(20));
        broker_ = std::make_unique<memory_broker>(network_, options_);
        network_.serve("listener", *broker_);
        version_ = random_.bernoulli(0.5) ? protocol_version::v5 : protocol_version::v3_1_1;
        listener_ = std::make_unique<client>(
            network_,
            client_config("mqtt://listener").id("listener").clean_start(false).reconnect(steady()));
        heard_ = *listener_->subscribe("m/#", subscribe_options(qos::exactly_once));
        listener_->start();
        make_client();
        network_.settle();
    }

    void run(int steps) {
        for (int i = 0; i < steps; ++i) {
            step();
            if (random_.bernoulli(0.3)) {
                network_.settle();
            }
        }
        // The faults end, and all comes to rest.
        network_.stall(false);
        network_.set_mood("broker", host_mood::accepts);
        network_.cut();
        client_->start();
        for (int i = 0; i < 60; ++i) {  // streams that pause reading have to be read
            network_.advance(2s);
            while (take()) {
            }
        }
    }

    void check() {
        for (const sent_message& one : sent_) {
            CAPTURE(one.payload.substr(0, 8), one.level, one.cancelled, one.result.why.message());
            CHECK(one.result.done);
            const int copies = received_[one.payload];
            if (one.level == qos::exactly_once) {
                CHECK(copies <= 1);
            }
            if (one.result.succeeded() && one.level != qos::at_most_once && !broker_forgets_) {
                CHECK(copies >= 1);
            }
            if (one.result.why == error::queue_full) {
                CHECK(copies == 0);
            }
        }
        CHECK(client_->queued() == 0);
        CHECK(client_->in_flight() == 0);
        CHECK(others_done());
        client_.reset();
        streams_.clear();
        network_.settle();
        for (const auto& one : receives_) {
            CHECK(one->done);
        }
    }

private:
    void make_client() {
        client_config config = usual(version_);
        config.clean_start(version_ == protocol_version::v5 || random_.bernoulli(0.5));
        config.queue(publish_queue_options().messages(1 + random_.below(50)));
        config.keep_alive(10s).response_timeout(3s).connect_timeout(5s).output_bytes_max(20'000);
        client_ = std::make_unique<client>(network_, config);
        client_->start();
    }

    void step() {
        switch (random_.below(20)) {
            case 0:
            case 1:
            case 2:
            case 3:
            case 4:
            case 5: publish(); break;
            case 6: network_.advance(std::chrono::milliseconds(random_.below(3000))); break;
            case 7:
                network_.cut();
                if (broker_forgets_ && random_.bernoulli(0.3)) {
                    broker_->restart();
                }
                break;
            case 8: network_.stall(random_.bernoulli(0.5)); break;
            case 9:
                network_.set_mood("broker", random_.bernoulli(0.3)   ? host_mood::refuses
                                            : random_.bernoulli(0.3) ? host_mood::is_silent
                                                                     : host_mood::accepts);
                break;
            case 10: subscribe(); break;
            case 11: unsubscribe(); break;
            case 12: cancel(); break;
            case 13: receive(); break;
            case 14:
                client_->retry_now();
                if (random_.bernoulli(0.02)) {
                    client_.reset();
                    make_client();
                }
                break;
            case 15: client_->async_flush(client_->within(5s, note(other()))); break;
            case 16: client_->async_wait_for(1s, note(other())); break;
            case 17:
                if (random_.bernoulli(0.1)) {
                    client_->async_disconnect(note(other()));
                    client_->start();
                } else if (!client_->is_connected()) {
                    client_->start();
                }
                break;
            case 18:
                client_->async_request("nobody/" + std::to_string(random_.below(3)), "x",
                                       std::chrono::milliseconds(random_.below(4000)),
                                       note(other()));
                break;
            case 19: take(); break;
        }
    }

    outcome& other() { return others_.emplace_back(); }
    bool others_done() const {
        return std::ranges::all_of(others_, [](const outcome& one) { return one.done; });
    }

    void publish() {
        sent_message& one = sent_.emplace_back();
        one.payload = std::to_string(sent_.size()) + std::string(random_.below(3000), '.');
        one.level = static_cast<enum qos>(random_.below(3));
        auto token = asio::bind_cancellation_slot(one.cancel.slot(), note(one.result));
        const std::string topic = "m/" + std::to_string(random_.below(3));
        if (random_.bernoulli(0.1)) {
            client_->async_publish(topic, one.payload, one.level,
                                   client_->within(2s, std::move(token)));
        } else {
            client_->async_publish(topic, one.payload, one.level, std::move(token));
        }
    }

    void cancel() {
        if (sent_.empty()) {
            return;
        }
        sent_message& one = sent_[random_.below(sent_.size())];
        one.cancelled = true;
        one.cancel.emit(random_.bernoulli(0.5) ? asio::cancellation_type::total
                                               : asio::cancellation_type::terminal);
    }

    std::string some_filter() {
        constexpr const char* filters[] = {"m/0", "m/+", "#", "$share/g/m/1"};
        return filters[random_.below(std::size(filters))];
    }

    void subscribe() {
        if (streams_.size() > 5) {
            streams_.pop_front();
        }
        subscribe_options options(static_cast<enum qos>(random_.below(3)));
        options.buffer(1 + random_.below(10),
                       random_.bernoulli(0.2) ? overflow::pause_reading : overflow::drop_oldest);
        if (random_.bernoulli(0.5)) {
            if (auto made = client_->subscribe(some_filter(), options)) {
                streams_.push_back(std::move(*made));
            }
        } else {
            outcome& result = other();
            client_->async_subscribe(
                some_filter(), options,
                client_->within(5s,
                                [this, &result](boost::system::error_code why, subscription made) {
                                    note(result)(why);
                                    if (made) {
                                        streams_.push_back(std::move(made));
                                    }
                                }));
        }
    }

    void unsubscribe() {
        if (!streams_.empty()) {
            streams_.front().async_unsubscribe(client_->within(5s, note(other())));
            streams_.pop_front();
        }
    }

    void receive() {
        for (subscription& stream : streams_) {
            receives_.push_back(std::make_unique<outcome>());
            stream.async_receive(note(*receives_.back()));
            while (random_.bernoulli(0.7) && stream.try_receive()) {
            }
        }
    }

    /// Whether there was anything.
    bool take() {
        bool any = false;
        for (auto& stream : streams_) {
            any = !take_all(stream).empty() || any;
        }
        network_.settle();
        while (const auto message = heard_.try_receive()) {
            ++received_[std::string(message->text())];
            any = true;
        }
        return any;
    }

    random_stream random_;
    bool broker_forgets_;
    virtual_network network_;
    broker::broker_options options_;
    std::unique_ptr<memory_broker> broker_;
    protocol_version version_;
    std::unique_ptr<client> listener_;
    subscription heard_;
    std::unique_ptr<client> client_;
    std::deque<subscription> streams_;
    std::deque<sent_message> sent_;
    std::deque<outcome> others_;
    std::vector<std::unique_ptr<outcome>> receives_;
    std::map<std::string, int> received_;
};

}  // namespace

TEST_CASE("whatever happens, each operation ends once and no promise of a QoS is broken",
          "[client][swarm]") {
    const bool broker_forgets = GENERATE(false, true);
    for (std::uint64_t seed = 1; seed <= share_of(5000U); ++seed) {
        CAPTURE(seed, broker_forgets);
        swarm run(seed, broker_forgets);
        run.run(300);
        run.check();
    }
}

}  // namespace fleetarium::test
