"""Who could be writing this: a posterior over latent sources, from scores under frames."""
