#include "relay/intake/smtp_server.hpp"

#include <algorithm>
#include <set>

#include "common/smtp/reply.hpp"
#include "relay/intake/smtp_session.hpp"

namespace millrace::relay {

namespace {

using namespace std::chrono_literals;

// Of all messages that are coming in: a quarter of the gigabyte the whole relay may use. A thousand
// sessions fill it with messages of 256 KiB each; one message of the largest size must fit.
constexpr std::uint64_t in_flight_max = 256ULL << 20;
// Connections that are being told they are too many; beyond, they are closed without a word.
constexpr std::size_t turned_away_max = 100;
constexpr Duration turn_away_timeout = 5s;
constexpr Duration accept_again = 1s;
// Postfix waits 5 minutes for the greeting (smtp_helo_timeout).
constexpr Duration seat_patience = 4min;

// Who counts as one client: an IPv4 address, or an IPv6 /64, which anyone gets whole.
Address client_of(const Address& address) {
    if (address.is_v4()) return address;
    const auto v6 = address.to_v6();
    if (v6.is_v4_mapped()) {
        return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, v6);
    }
    if (v6.is_loopback()) return address;
    auto bytes = v6.to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
    return boost::asio::ip::address_v6(bytes);
}

}  // namespace

struct SmtpServer::Rooms {
    Rooms(IntakeWorld intake,
          config::Snapshot snapshot,
          std::vector<std::unique_ptr<Listener>> opened)
        : world(intake),
          settings(std::move(snapshot)),
          listeners(std::move(opened)),
          profiles(settings->relay.listeners),
          counters(world.metrics),
          connections(world.metrics.counter("millrace_intake_connections_total",
                                            "Connections of clients, by what became of them.",
                                            "result=\"served\"")),
          turned(world.metrics.counter("millrace_intake_connections_total",
                                       "Connections of clients, by what became of them.",
                                       "result=\"turned_away\"")),
          in_flight(std::max(in_flight_max, settings->relay.limits.message_size * 2)),
          seats(world.executor, WaitingLine::Order::loose),
          room(world.executor, WaitingLine::Order::strict),
          doors(world.executor, world.log, "intake.doors"),
          conversations(world.executor, world.log, "intake.sessions"),
          timers(world.executor, world.log, "intake.timers") {
        in_flight.given_back = [this] {
            room.advance();
        };
        world.metrics.gauge("millrace_intake_waiting",
                            "Connections of an MTA in front that are kept waiting.",
                            [this] { return static_cast<double>(waiting()); });
        world.metrics.gauge("millrace_intake_in_flight_bytes",
                            "Bytes of messages that are coming in.",
                            [this] { return static_cast<double>(in_flight.held()); });
        limit();
    }

    void limit() {
        unattributed.limit(settings->relay.limits.unattributed_per_hour, world.clock.now());
    }

    // A session's place, given back however it ends.
    class Seat {
      public:
        Seat(Rooms& rooms, std::shared_ptr<SmtpSession> session, const Address& client)
            : rooms_(rooms), session_(std::move(session)), client_(client) {
            rooms_.open.insert(session_.get());
            ++rooms_.per_client[client_];
        }
        ~Seat() {
            rooms_.open.erase(session_.get());
            if (--rooms_.per_client[client_] == 0) rooms_.per_client.erase(client_);
            rooms_.seats.advance();
        }
        Seat(const Seat&) = delete;
        Seat& operator=(const Seat&) = delete;
        SmtpSession& session() { return *session_; }

      private:
        Rooms& rooms_;
        std::shared_ptr<SmtpSession> session_;
        Address client_;
    };

    Task<void> keep_door(std::size_t index) {
        Listener& listener = *listeners[index];
        while (!stopping) {
            auto stream = co_await listener.accept();
            if (stream) {
                admit(std::move(*stream), index);
            } else if (stream.error().fault == Fault::cancelled) {
                co_return;
            } else {
                world.log.warning("intake.accept_failed", {{"why", stream.error().detail}});
                co_await world.clock.sleep(accept_again);
            }
        }
    }

    void admit(std::unique_ptr<Stream> stream, std::size_t index) {
        const Endpoint peer = stream->peer();
        const Address client = client_of(peer.address);
        const unsigned here = of(client);
        if (stopping || !has_seat(client)) {
            // As many again as are served may wait.
            if (!stopping && seats.size() < settings->relay.limits.connections &&
                is_patient(profiles[index], peer.address)) {
                counters.waited_for_seat.add();
                world.log.info(
                    "intake.waits_for_seat",
                    {{"client", peer.text()}, {"sessions", open.size()}, {"of_client", here}});
                conversations.spawn(stand_in_line(std::move(stream), index, client));
                return;
            }
            turned.add();
            if (!stopping) {
                world.log.warning(
                    "intake.turned_away",
                    {{"client", peer.text()}, {"sessions", open.size()}, {"of_client", here}});
            }
            if (turning_away < turned_away_max) conversations.spawn(turn_away(std::move(stream)));
            return;
        }
        conversations.spawn(serve(take_seat(std::move(stream), index, client)));
    }

    unsigned of(const Address& client) const {
        const auto known = per_client.find(client);
        return known == per_client.end() ? 0 : known->second;
    }
    bool has_seat(const Address& client) const {
        const config::Limits& limits = settings->relay.limits;
        return open.size() < limits.connections && of(client) < limits.connections_per_client;
    }

    std::unique_ptr<Seat> take_seat(std::unique_ptr<Stream> stream,
                                    std::size_t index,
                                    const Address& client) {
        connections.add();
        const IntakeDesk desk{world.clock,
                              world.log,
                              world.acceptor,
                              in_flight,
                              room,
                              waiting_for_spool,
                              counters,
                              unattributed};
        auto session =
            std::make_shared<SmtpSession>(desk, settings, profiles[index], std::move(stream));
        return std::make_unique<Seat>(*this, std::move(session), client);
    }

    // Without a greeting, until somebody leaves.
    Task<void> stand_in_line(std::unique_ptr<Stream> stream, std::size_t index, Address client) {
        std::unique_ptr<Seat> seat;
        const bool served =
            co_await seats.wait(world.clock, world.clock.now() + seat_patience, [&] {
                if (!has_seat(client)) return false;
                seat = take_seat(std::move(stream), index, client);
                return true;
            });
        if (served) {
            co_await serve(std::move(seat));
        } else {
            turned.add();
            co_await turn_away(std::move(stream));
        }
    }

    std::size_t waiting() const { return seats.size() + room.size() + waiting_for_spool; }

    static Task<void> serve(std::unique_ptr<Seat> seat) { co_await seat->session().run(); }

    Task<void> turn_away(std::unique_ptr<Stream> stream) {
        ++turning_away;
        const std::string said = smtp::format(
            smtp::reply(421, "4.7.0", "Too many connections, closing; try again later"));
        stream->expires_at(world.clock.now() + turn_away_timeout);
        co_await stream->write(said);
        stream->close();
        --turning_away;
    }

    Task<void> break_off(Time deadline) {
        co_await world.clock.sleep_until(deadline);
        for (SmtpSession* session : open)
            session->abort();
    }

    IntakeWorld world;
    config::Snapshot settings;
    std::vector<std::unique_ptr<Listener>> listeners;
    std::vector<config::Listener> profiles;  ///< those the listeners were opened for
    IntakeCounters counters;
    Counter& connections;
    Counter& turned;
    InFlight in_flight;
    std::set<SmtpSession*> open;
    std::map<Address, unsigned> per_client;
    std::size_t turning_away = 0;
    WaitingLine seats;
    WaitingLine room;
    Pace unattributed;
    unsigned waiting_for_spool = 0;
    bool stopping = false;
    TaskGroup doors;
    TaskGroup conversations;
    TaskGroup timers;
};

SmtpServer::SmtpServer(IntakeWorld world,
                       config::Snapshot settings,
                       std::vector<std::unique_ptr<Listener>> listeners)
    : rooms_(std::make_unique<Rooms>(world, std::move(settings), std::move(listeners))) {}

SmtpServer::~SmtpServer() = default;

void SmtpServer::start() {
    for (std::size_t i = 0; i < rooms_->listeners.size(); ++i) {
        rooms_->doors.spawn(rooms_->keep_door(i));
    }
}

Task<void> SmtpServer::stop(Time deadline) {
    Rooms& rooms = *rooms_;
    rooms.stopping = true;
    for (const auto& listener : rooms.listeners) {
        listener->close();
    }
    rooms.doors.stop();
    co_await rooms.doors.drained();
    rooms.seats.end();
    rooms.room.end();
    for (SmtpSession* session : rooms.open) {
        if (session->stop() == SmtpSession::Stopping::farewell_now) {
            rooms.conversations.spawn(session->farewell());
        }
    }
    rooms.timers.spawn(rooms.break_off(deadline));
    co_await rooms.conversations.drained();
    rooms.timers.stop();
    co_await rooms.timers.drained();
}

void SmtpServer::configure(config::Snapshot settings) {
    // Profiles of listeners that are still where they were follow the new settings.
    for (config::Listener& profile : rooms_->profiles) {
        const auto fresh =
            std::ranges::find_if(settings->relay.listeners, [&](const config::Listener& listener) {
                return listener.address == profile.address && listener.port == profile.port;
            });
        if (fresh != settings->relay.listeners.end()) profile = *fresh;
    }
    rooms_->settings = std::move(settings);
    rooms_->seats.advance();  // there may be more of them now
    rooms_->limit();
}

std::size_t SmtpServer::waiting() const {
    return rooms_->waiting();
}

std::size_t SmtpServer::sessions() const {
    return rooms_->open.size();
}

}  // namespace millrace::relay
