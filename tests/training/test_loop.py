"""The loop: what it keeps, when it stops, and that a kill changes nothing."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest
import torch

from mmlib.core.errors import InputError
from mmlib.recommenders import BPR, LightGCN, MixGCF
from mmlib.training import fit


def make(blocks, model=LightGCN, seed: int = 0, **options):
    torch.manual_seed(seed)
    return model(blocks, dim=8, **options)


def same(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.model.state_dict().values(), b.model.state_dict().values()))


def test_history_has_a_row_per_epoch_and_names_the_terms(blocks) -> None:
    done = fit(make(blocks), epochs=4, evaluate_every=2, device="cpu")
    assert done.history["epoch"].tolist() == [1, 2, 3, 4]
    assert {"seconds", "loss", "loss/bpr", "loss/l2", "valid/recall@20"} <= set(done.history)
    assert done.history["valid/recall@20"].notna().tolist() == [False, True, False, True]
    assert (done.history["loss/bpr"] + done.history["loss/l2"]).tolist() == pytest.approx(done.history["loss"].tolist())


def test_the_best_epoch_is_kept(blocks) -> None:
    done = fit(make(blocks), epochs=12, lr=0.05, metric="recall@3", batch_size=64, device="cpu")
    best = done.history.loc[done.history["valid/recall@3"].idxmax(), "epoch"]
    assert done.best_epoch == best
    again = fit(make(blocks), epochs=int(best), lr=0.05, metric="recall@3", batch_size=64, keep="last", device="cpu")
    assert same(done, again)


def test_patience_stops_after_that_many_worse_validations(blocks) -> None:
    done = fit(make(blocks), epochs=200, lr=0.1, metric="recall@3", patience=3, device="cpu")
    assert len(done.history) == done.best_epoch + 3 < 200


def test_patience_counts_validations_not_epochs(blocks) -> None:
    done = fit(make(blocks), epochs=200, lr=0.1, metric="recall@3", patience=3, evaluate_every=4, device="cpu")
    assert len(done.history) == done.best_epoch + 3 * 4 < 200


def test_no_epochs_leave_the_start_alone(blocks) -> None:
    model = make(blocks)
    before = model.table.detach().clone()
    done = fit(model, epochs=0, device="cpu")
    assert torch.equal(done.model.table, before)
    assert len(done.history) == 0


@pytest.mark.parametrize("schedule", ["constant", "cosine", lambda epoch: 0.5**epoch])
def test_schedules_scale_the_learning_rate(blocks, schedule) -> None:
    done = fit(make(blocks), epochs=6, schedule=schedule, device="cpu", keep="last")
    plain = fit(make(blocks), epochs=6, device="cpu", keep="last")
    assert same(done, plain) == (schedule == "constant")


def test_mixed_precision_learns_too(blocks) -> None:
    done = fit(make(blocks), epochs=40, lr=0.05, metric="recall@3", amp=True, batch_size=64, device="cpu")
    assert done.history["valid/recall@3"].max() > 0.9


@pytest.mark.parametrize("model", [BPR, LightGCN, MixGCF])
def test_an_interrupted_training_continues_bit_for_bit(blocks, tmp_path, model) -> None:
    whole = fit(make(blocks, model), epochs=6, batch_size=32, device="cpu", patience=None)
    stopped = make(blocks, model)
    original, calls = stopped.loss, []

    def loss(batch):
        calls.append(1)
        if len(calls) > 20:  # in the middle of the fourth epoch
            raise KeyboardInterrupt
        return original(batch)

    stopped.loss = loss
    with pytest.raises(KeyboardInterrupt):
        fit(
            stopped,
            epochs=6,
            batch_size=32,
            device="cpu",
            patience=None,
            checkpoint=tmp_path / "c.pt",
            checkpoint_seconds=0,
        )
    resumed = fit(
        make(blocks, model, seed=9), epochs=6, batch_size=32, device="cpu", patience=None, checkpoint=tmp_path / "c.pt"
    )
    assert same(whole, resumed)
    assert whole.best_epoch == resumed.best_epoch
    drop = ["seconds"]
    assert whole.history.drop(columns=drop).equals(resumed.history.drop(columns=drop))


def test_a_killed_process_continues_bit_for_bit(blocks, tmp_path, monkeypatch) -> None:
    script = textwrap.dedent("""
        import sys, torch
        from mmlib.core.dataset import Dataset
        from mmlib.recommenders import LightGCN
        from mmlib.training import fit
        torch.manual_seed(0)
        model = LightGCN(Dataset.load(sys.argv[1]), dim=8)
        if len(sys.argv) > 3:
            model.start_epoch = lambda epoch: print("epoch", epoch, flush=True)
        done = fit(model, epochs=80, patience=None, batch_size=16, device="cpu", checkpoint=sys.argv[2],
                   checkpoint_seconds=0)
        torch.save(done.model.state_dict(), sys.argv[2] + ".weights")
    """)
    blocks.save(tmp_path / "data")
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    command = [sys.executable, "-c", script, str(tmp_path / "data")]
    first = subprocess.Popen([*command, str(tmp_path / "a"), "talk"], stdout=subprocess.PIPE, text=True)
    for line in first.stdout:
        if int(line.split()[1]) >= 5:
            break
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert not (tmp_path / "a.weights").exists()
    subprocess.run([*command, str(tmp_path / "a")], check=True)
    whole = fit(make(blocks), epochs=80, patience=None, batch_size=16, device="cpu").model.state_dict()
    killed = torch.load(tmp_path / "a.weights", weights_only=True)
    assert all(torch.equal(killed[name], whole[name]) for name in whole)


def test_a_checkpoint_of_other_data_or_length_is_refused(blocks, features, tmp_path) -> None:
    from mmlib.recommenders import VBPR

    def start(data, given, epochs: int = 1):
        torch.manual_seed(0)
        options = {"device": "cpu", "checkpoint": tmp_path / "c.pt", "schedule": "cosine"}
        return fit(VBPR(data, given, dim=4), epochs=epochs, **options)

    start(blocks, features)
    assert start(blocks, features).best_epoch == 1
    other = replace(features, item={name: values + 1 for name, values in features.item.items()})
    table = blocks.interactions
    less = replace(blocks, interactions=table.assign(part=["test", *table["part"][1:]]))
    for wrong in ((blocks, other), (less, features), (blocks, features, 2)):
        with pytest.raises(InputError, match="other options, data"):
            start(*wrong)


def test_a_checkpoint_of_other_options_is_refused(blocks, tmp_path) -> None:
    fit(make(blocks), epochs=1, device="cpu", checkpoint=tmp_path / "c.pt")
    with pytest.raises(InputError, match="other options, data or features; delete it"):
        fit(make(blocks), epochs=1, lr=0.1, device="cpu", checkpoint=tmp_path / "c.pt")


DAMAGES = {
    "a bit of the weights": lambda held: held[:3000] + bytes([held[3000] ^ 1]) + held[3001:],
    "a bit at the end": lambda held: held[:-1] + bytes([held[-1] ^ 1]),
    "cut short": lambda held: held[:-100],
    "empty": lambda held: b"",
    "something else": lambda held: b"not a checkpoint at all",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_left_aside(blocks, tmp_path, capsys, damage) -> None:
    path = tmp_path / "c.pt"
    whole = fit(make(blocks), epochs=3, device="cpu", checkpoint=path)
    path.write_bytes(damage(path.read_bytes()))
    again = fit(make(blocks), epochs=3, device="cpu", checkpoint=path)
    assert capsys.readouterr().out.count(f"{path} is damaged, so the training starts anew") == 1
    assert same(whole, again)
    assert fit(make(blocks, seed=9), epochs=3, device="cpu", checkpoint=path).best_epoch == whole.best_epoch
    assert "damaged" not in capsys.readouterr().out


def test_a_loss_that_is_not_finite_stops_at_once(blocks) -> None:
    model = make(blocks)
    model.table.data[0, 0] = torch.nan
    with pytest.raises(InputError, match="not finite in epoch 1"):
        fit(model, epochs=5, device="cpu")


def test_bad_arguments_are_named(blocks) -> None:
    with pytest.raises(InputError, match="epochs = -1"):
        fit(make(blocks), epochs=-1)
    with pytest.raises(InputError, match="metric = 'recal@20'"):
        fit(make(blocks), epochs=1, metric="recal@20", device="cpu")
    with pytest.raises(InputError, match="schedule = 'cosin'"):
        fit(make(blocks), epochs=1, schedule="cosin", device="cpu")


def test_schedules_are_factors_of_the_learning_rate() -> None:
    from mmlib.training.loop import _factor

    assert [round(_factor("decay", 7)(epoch), 4) for epoch in (0, 25, 50, 100)] == [1.0, 0.9798, 0.96, 0.9216]
    assert [round(_factor("cosine", 4)(epoch), 3) for epoch in (0, 2, 4)] == [1.0, 0.5, 0.0]
    assert _factor("constant", 4)(3) == 1
    with pytest.raises(InputError, match='"decay"'):
        _factor("decays", 4)


def test_validation_may_rank_cold_items_alone(blocks) -> None:
    from mmlib.evaluation import evaluate
    from mmlib.splits import cold_items

    cold = cold_items(blocks, 0.4)
    options = {"epochs": 2, "batch_size": 64, "metric": "recall@2", "device": "cpu"}
    done = fit(make(cold, BPR), candidates="cold", keep="last", **options)
    expected = evaluate(done, part="valid", k=[2], candidates="cold")["recall@2"]
    assert done.history["valid/recall@2"].iloc[-1] == pytest.approx(expected)
    assert expected != pytest.approx(evaluate(done, part="valid", k=[2])["recall@2"])
