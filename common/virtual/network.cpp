#include "common/virtual/network.hpp"

#include <algorithm>

#include "common/virtual/connection.hpp"

namespace millrace::virtual_ {
namespace {

constexpr std::size_t backlog = 1024;
constexpr Duration system_patience = std::chrono::seconds(127);  // Linux gives up after 6 SYNs

struct ListenerState {
    Machine* machine = nullptr;
    Endpoint at;
    std::deque<std::shared_ptr<Connection>> waiting;
    Machine::Ticket acceptor = 0;
    bool open = true;
};

class VirtualListener final : public Listener {
  public:
    VirtualListener(std::shared_ptr<ListenerState> state,
                    std::function<void()> forget,
                    std::function<bool()> fails)
        : state_(std::move(state)), forget_(std::move(forget)), fails_(std::move(fails)) {}
    ~VirtualListener() override { close(); }

    Task<Result<std::unique_ptr<Stream>>> accept() override {
        const auto state = state_;
        for (;;) {
            if (!state->open) co_return failure(Fault::cancelled, "the listener is closed");
            if (!state->waiting.empty()) {
                if (fails_()) co_return failure(Fault::unavailable, "too many open files");
                auto connection = std::move(state->waiting.front());
                state->waiting.pop_front();
                co_return std::make_unique<VirtualStream>(std::move(connection), 1);
            }
            state->acceptor = state->machine->ticket();
            co_await state->machine->wait(state->acceptor);
        }
    }
    Endpoint local() const override { return state_->at; }
    void close() override {
        if (!state_->open) return;
        state_->open = false;
        for (const auto& connection : state_->waiting)
            connection->close(1, false);
        state_->waiting.clear();
        state_->machine->wake(state_->acceptor);
        forget_();
    }

  private:
    std::shared_ptr<ListenerState> state_;
    std::function<void()> forget_;
    std::function<bool()> fails_;
};

}  // namespace

/// The network as one machine sees it.
class Plug final : public Network {
  public:
    Plug(VirtualNetwork& network, Machine& machine, std::vector<Address> own)
        : network_(network), machine_(machine), own_(std::move(own)) {}

    Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to,
                                                  std::optional<Address> source,
                                                  Time deadline) override;
    Result<std::unique_ptr<Listener>> listen(Endpoint at) override;

    bool owns(const Address& address) const {
        return std::find(own_.begin(), own_.end(), address) != own_.end();
    }
    Machine& machine() const { return machine_; }
    void drop_listeners() {
        for (const auto& [at, state] : listeners_)
            state->open = false;
        listeners_.clear();
    }

  private:
    std::optional<Address> source_for(const Address& to) const;
    std::shared_ptr<ListenerState> listener_at(const Endpoint& at) const;

    VirtualNetwork& network_;
    Machine& machine_;
    std::vector<Address> own_;
    std::map<Endpoint, std::shared_ptr<ListenerState>> listeners_;
    std::uint16_t next_port_ = 32768;
};

std::optional<Address> Plug::source_for(const Address& to) const {
    if (to.is_loopback()) return to;
    for (const Address& address : own_) {
        if (address.is_v4() == to.is_v4()) return address;
    }
    return {};
}

std::shared_ptr<ListenerState> Plug::listener_at(const Endpoint& at) const {
    if (const auto exact = listeners_.find(at); exact != listeners_.end()) return exact->second;
    const Address any = at.address.is_v4() ? Address(asio::ip::address_v4::any())
                                           : Address(asio::ip::address_v6::any());
    const auto wild = listeners_.find(Endpoint{any, at.port});
    return wild == listeners_.end() ? nullptr : wild->second;
}

Task<Result<std::unique_ptr<Stream>>> Plug::connect(Endpoint to,
                                                    std::optional<Address> source,
                                                    Time deadline) {
    Simulation& simulation = network_.simulation_;
    if (source && !owns(*source) && !source->is_loopback()) {
        co_return failure(Fault::unavailable,
                          "cannot send from " + source->to_string() + ": not an own address");
    }
    if (source && source->is_v4() != to.address.is_v4()) {
        co_return failure(Fault::unavailable, "source and target are of different families");
    }
    const auto from = source ? source : source_for(to.address);
    if (!from) co_return failure(Fault::refused, "no route to " + to.text());
    const Conditions wire = network_.conditions_of(to.address);
    const Time gives_up = std::min(deadline, machine_.now() + system_patience);
    Plug* const owner = network_.owner_of(to.address, *this);
    const bool ignored = network_.chance(wire.ignore);
    if (ignored) simulation.fault_fired("connect-ignored");
    const Duration there = network_.latency(wire);
    const Duration back = network_.latency(wire);
    if (!owner || ignored || machine_.now() + there + back > gives_up) {
        co_await machine_.sleep_until(gives_up);
        co_return failure(Fault::timed_out, "no answer from " + to.text());
    }
    co_await machine_.sleep(there);
    const auto listener = owner->listener_at(to);
    const bool refused = network_.chance(wire.refuse);
    if (refused) simulation.fault_fired("connect-refused");
    if (!listener || refused || !owner->machine().alive() || listener->waiting.size() >= backlog) {
        co_await machine_.sleep(back);
        co_return failure(Fault::refused, "connection refused by " + to.text());
    }
    auto connection = std::make_shared<Connection>(network_, wire);
    connection->id = network_.next_connection_++;
    connection->trickles = network_.chance(wire.trickle);
    if (connection->trickles) simulation.fault_fired("trickle");
    connection->side(0).machine = &machine_;
    connection->side(0).local = Endpoint{*from, next_port_};
    next_port_ = next_port_ == 60999 ? 32768 : static_cast<std::uint16_t>(next_port_ + 1);
    connection->side(1).machine = listener->machine;
    connection->side(1).local = to;
    if (const auto found = network_.certificates_.find(to); found != network_.certificates_.end()) {
        connection->certificate = found->second;
    }
    std::erase_if(network_.connections_, [](const auto& weak) { return weak.expired(); });
    network_.connections_.push_back(connection);
    listener->waiting.push_back(connection);
    listener->machine->wake(listener->acceptor);
    co_await machine_.sleep(back);
    simulation.trace(to.text());
    connection->announced = true;
    if (network_.on_opened) network_.on_opened(connection->fact());
    co_return std::make_unique<VirtualStream>(std::move(connection), 0);
}

Result<std::unique_ptr<Listener>> Plug::listen(Endpoint at) {
    if (!owns(at.address) && !at.address.is_loopback() && !at.address.is_unspecified()) {
        return failure(Fault::unavailable,
                       "cannot listen at " + at.text() + ": not an own address");
    }
    if (at.port == 0) at.port = next_port_++;
    if (listeners_.contains(at)) {
        return failure(
            Fault::refused,
            "port " + std::to_string(at.port) + " is in use by `" + machine_.name() + "`");
    }
    auto state = std::make_shared<ListenerState>();
    state->machine = &machine_;
    state->at = at;
    listeners_[at] = state;
    // A plug outlives its listeners: both belong to the simulation's end.
    return std::make_unique<VirtualListener>(
        std::move(state),
        [this, at] { listeners_.erase(at); },
        [this, at] {
            const bool fails = network_.chance(network_.conditions_of(at.address).accept);
            if (fails) network_.simulation_.fault_fired("accept-fails");
            return fails;
        });
}

VirtualNetwork::VirtualNetwork(Simulation& simulation, Random& random)
    : simulation_(simulation), random_(random) {}

VirtualNetwork::~VirtualNetwork() = default;

Network& VirtualNetwork::plug(Machine& machine, std::vector<Address> own) {
    plugs_.push_back(std::make_unique<Plug>(*this, machine, std::move(own)));
    return *plugs_.back();
}

void VirtualNetwork::crashed(Machine& machine, bool abrupt) {
    for (const auto& plug : plugs_) {
        if (&plug->machine() == &machine) plug->drop_listeners();
    }
    const auto all = connections_;
    for (const auto& weak : all) {
        const auto connection = weak.lock();
        if (!connection) continue;
        for (unsigned which : {0U, 1U}) {
            if (connection->side(which).machine == &machine) connection->close(which, abrupt);
        }
    }
}

const Conditions& VirtualNetwork::conditions_of(const Address& to) const {
    const auto special = special_.find(to);
    return special == special_.end() ? all_ : special->second;
}

void VirtualNetwork::certificate(const Endpoint& at, Certificate certificate) {
    certificates_[at] = std::move(certificate);
}

Duration VirtualNetwork::latency(const Conditions& conditions) {
    const auto spread = conditions.latency_most - conditions.latency_least;
    return conditions.latency_least +
           Duration(random_.below(static_cast<std::uint64_t>(spread.count()) + 1));
}

Plug* VirtualNetwork::owner_of(const Address& address, Plug& asking) {
    if (address.is_loopback()) return &asking;
    for (auto plug = plugs_.rbegin(); plug != plugs_.rend(); ++plug) {  // the latest answers
        if ((*plug)->owns(address)) return plug->get();
    }
    return nullptr;
}

}  // namespace millrace::virtual_
