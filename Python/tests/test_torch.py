"""Models and weights of PyTorch."""
import numpy as np
import pytest

import hourglass as hg

torch = pytest.importorskip("torch")
nn = torch.nn


def parts():
    encoder = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
                            nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False), nn.LeakyReLU(0.2), nn.Flatten())
    latent = nn.Linear(16 * 3 * 3, 5)
    decoder = nn.Sequential(nn.Linear(5, 144), nn.GELU(), nn.Unflatten(1, (16, 3, 3)),
                            nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1), nn.Tanh(),
                            nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1), nn.Sigmoid())
    return encoder, latent, decoder


def test_a_torch_model_comes_with_its_weights():
    torch.manual_seed(1)
    encoder, latent, decoder = parts()
    model = hg.from_torch(encoder, latent=latent, decoder=decoder)
    images = np.random.default_rng(1).random((5, 12, 12), np.float32)
    whole = nn.Sequential(encoder, latent, decoder).eval()
    with torch.no_grad():
        codes = latent(encoder(torch.from_numpy(images[:, None]))).numpy()
        wanted = whole(torch.from_numpy(images[:, None])).numpy()[:, 0]
    np.testing.assert_allclose(model.transform(images), codes, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.reconstruct(images), wanted, rtol=1e-4, atol=1e-5)
    model.set_params(epochs=1, warm_start=True).fit(images)
    assert len(model.history_) == 1


def test_half_precision_is_widened(fitted, images):
    for kind in (torch.float16, torch.bfloat16):
        state = {name: torch.from_numpy(value).to(kind) for name, value in fitted.state_dict().items()}
        other = hg.ConvAutoencoder("conv-ae@12x12x1", latent=8).load_state_dict(state)
        np.testing.assert_allclose(other.transform(images), fitted.transform(images), atol=0.1)


@pytest.mark.parametrize("module, sentence", [
    (nn.LSTM(4, 4), "encoder.1: wanted .* found LSTM"), (nn.Conv2d(3, 4, 3), "encoder.1: wanted 1 channels"),
    (nn.Linear(7, 3), "encoder.1: wanted 144 inputs"), (nn.Conv2d(1, 4, 3, padding="same"), "padding by numbers"),
    (nn.GELU("tanh"), "found GELU"),
])
def test_what_cannot_be_expressed_is_named(module, sentence):
    with pytest.raises(ValueError, match=sentence):
        hg.from_torch(nn.Sequential(nn.ReLU(), module), latent=nn.Linear(4, 2), decoder=nn.Sequential(nn.Linear(2, 144)),
                      image=(12, 12, 1))


def test_tensors_are_arrays(images, fitted):
    np.testing.assert_array_equal(fitted.transform(torch.from_numpy(images)), fitted.transform(images))
